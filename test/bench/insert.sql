-- Bulk insert into a copy of dag_run, of DAGs that no pin touches. Prints PINS|CONTENDER|SECONDS, round by round.
-- Variables: pins, rows, rounds. Needs contenders.sql.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CALL set_pins(:pins);
VACUUM ANALYZE;

CREATE TEMPORARY TABLE measured (id serial, contender text, round integer, seconds double precision);

CREATE PROCEDURE pg_temp.measure(contender text, round integer, rows integer) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
BEGIN
    CALL place(contender, 'copy_0');
    TRUNCATE copy_0.dag_run;
    COMMIT;
    began := clock_timestamp();
    INSERT INTO copy_0.dag_run (dag_id, run_id, run_type, state, creating_job_id, run_after, clear_number, span_status,
                                bundle_version, created_dag_version_id)
        SELECT dag_id, 'scheduled__' || n, 'scheduled', 'queued', 1, now(), 0, 'not_started', 'c1', md5(dag_id)::uuid
        FROM generate_series(1, rows) n, concat('nightly_sales_report_', 1 + n % 1000) dag_id;
    INSERT INTO measured (contender, round, seconds)
        VALUES (contender, round, extract(epoch FROM clock_timestamp() - began));
    COMMIT;
END $$;

-- In each round another one begins.
CREATE PROCEDURE pg_temp.run_all(rounds integer, rows integer) LANGUAGE plpgsql AS $$
DECLARE
    contenders constant text[] := ARRAY['none', 'again', 'empty', 'pin', 'twin', 'key'];
BEGIN
    FOR round IN 0 .. rounds LOOP
        FOR turn IN 0 .. 5 LOOP
            CALL pg_temp.measure(contenders[1 + (round + turn) % 6], round, rows);
        END LOOP;
    END LOOP;
END $$;
CALL pg_temp.run_all(:rounds, :rows);

-- Round 0 warms up.
SELECT :pins, contender, seconds FROM measured WHERE round > 0 ORDER BY round, id;
