-- Memory of one backend after many runs; test/leaks runs it. Variables: runs, rewritten, rounds.
SET client_min_messages = error;
SET airflow_pin.log_decisions = off;
CALL lab.two_versions('free');
CALL lab.two_versions('pinned');
CALL lab.two_versions('refused');
SELECT airflow_pin.pin('pinned', 1) \g /dev/null
SELECT airflow_pin.pin('refused', 1, 'reject') \g /dev/null
CREATE TABLE lab.memory (work text, round integer, contexts bigint, process bigint);

CREATE PROCEDURE lab.insert_runs(dag text, count integer) LANGUAGE sql AS $$
    INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id, bundle_version, created_dag_version_id)
        SELECT dag, 'run_' || n, 'scheduled', 'queued', 1, 'b', lab.uuid(dag || '2') FROM generate_series(1, count) n
$$;
CREATE PROCEDURE lab.refuse_runs(count integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. count LOOP
        BEGIN
            CALL lab.run('refused', 'run', 'manual');
            RAISE 'the run was not refused';
        EXCEPTION WHEN raise_exception THEN
            IF SQLERRM NOT LIKE 'airflow_pin refused%' THEN
                RAISE;
            END IF;
        END;
    END LOOP;
END $$;
CREATE PROCEDURE lab.move_pins(count integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. count LOOP
        PERFORM airflow_pin.pin('pinned', 1 + n % 2);
        CALL lab.run('pinned', 'moved_' || n);
    END LOOP;
    PERFORM airflow_pin.pin('pinned', 1);
END $$;
CREATE PROCEDURE lab.look(count integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. count LOOP
        PERFORM airflow_pin.status();
        PERFORM airflow_pin.pins();
        PERFORM airflow_pin.diff('pinned', 1, 2);
        PERFORM airflow_pin.preflight();
        PERFORM airflow_pin.migration_status();
    END LOOP;
END $$;

CREATE PROCEDURE lab.measure(work text, round integer) LANGUAGE sql AS $$
    INSERT INTO lab.memory VALUES (work, round, (SELECT sum(total_bytes) FROM pg_backend_memory_contexts),
        1024 * substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+)')::bigint);
    TRUNCATE dag_run, task_instance, airflow_pin.run_decision CASCADE;
$$;

-- Each kind of work a number of times, each time a transaction of its own.
SELECT format('CALL %s', call), format('CALL lab.measure(%L, %s)', work, round)
    FROM (VALUES ('runs without a pin', format('lab.insert_runs(%L, %s)', 'free', :runs / :rounds)),
                 ('rewritten runs', format('lab.insert_runs(%L, %s)', 'pinned', :rewritten / :rounds)),
                 ('refused runs', format('lab.refuse_runs(%s)', :rewritten / 10 / :rounds)),
                 ('moved pins', format('lab.move_pins(%s)', :rewritten / 50 / :rounds)),
                 ('looks', format('lab.look(%s)', :rewritten / 500 / :rounds))) w (work, call),
         generate_series(1, :rounds) round
    ORDER BY work, round \gexec

-- Whatever is cached is there after two rounds; a byte a run that leaked would be seen.
SELECT CASE WHEN bool_and(leaked) THEN 'not ok - ' ELSE 'ok - ' END || work || ': memory contexts '
       || string_agg(contexts / 1024 || ' kB', ', ' ORDER BY round) || '; process '
       || string_agg(process / 1024 || ' kB', ', ' ORDER BY round)
    FROM (SELECT *, last_value(contexts) OVER w - nth_value(contexts, 2) OVER w > 65536
                    OR last_value(process) OVER w - nth_value(process, 2) OVER w > 2097152 AS leaked
          FROM lab.memory WINDOW w AS (PARTITION BY work ORDER BY round
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) m
    GROUP BY work ORDER BY work;
