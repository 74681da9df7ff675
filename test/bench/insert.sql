-- Bulk insert into dag_run, of DAGs that no pin touches: seconds for each round of each contender.
-- Variables: rows, rounds, pins, library (path of empty_trigger without .so).
\set ON_ERROR_STOP on
\ir ../fixtures/airflow3.sql
SET client_min_messages = warning;

CREATE EXTENSION airflow_pin;
SELECT airflow_pin.attach() \g /dev/null
CREATE FUNCTION empty_trigger() RETURNS trigger LANGUAGE c AS :'library', 'empty_trigger';

\ir twin.sql

-- 1,000 DAGs that run, and pins of other ones.
SELECT count(lab.add_version('dag_' || n, 'c1', ARRAY[lab.task('t')]))
    FROM generate_series(1, 1000) n \g /dev/null
INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id,
                                        bundle_version, on_mismatch)
    SELECT 'pinned_' || n, '-infinity', 1, gen_random_uuid(), 'c1', 'rewrite'
    FROM generate_series(1, :pins) n;
INSERT INTO twin_pin SELECT dag_id, dag_version_id, bundle_version FROM airflow_pin.pinned_version;
VACUUM (ANALYZE) airflow_pin.pinned_version, twin_pin, dag_version;

CREATE TABLE measured (contender text, round integer, seconds double precision);

CREATE PROCEDURE measure(contender text, round integer, rows integer) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
BEGIN
    TRUNCATE dag_run CASCADE;
    COMMIT;
    began := clock_timestamp();
    INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id, bundle_version,
                         created_dag_version_id)
        SELECT 'dag_' || 1 + n % 1000, 'scheduled__' || n, 'scheduled', 'queued', 1, 'c1',
               lab.uuid('dag_' || 1 + n % 1000 || '1')
        FROM generate_series(1, rows) n;
    INSERT INTO measured VALUES (contender, round,
                                 extract(epoch FROM clock_timestamp() - began));
    COMMIT;
END $$;

CREATE PROCEDURE run_all(rounds integer, rows integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR round IN 0 .. rounds LOOP
        ALTER TABLE dag_run DISABLE TRIGGER airflow_pin_enforce;
        CALL measure('no trigger', round, rows);

        CREATE TRIGGER empty BEFORE INSERT ON dag_run FOR EACH ROW
            EXECUTE FUNCTION empty_trigger();
        CALL measure('empty C trigger', round, rows);
        DROP TRIGGER empty ON dag_run;

        ALTER TABLE dag_run ENABLE TRIGGER airflow_pin_enforce;
        CALL measure('airflow_pin', round, rows);
        ALTER TABLE dag_run DISABLE TRIGGER airflow_pin_enforce;

        CREATE TRIGGER twin BEFORE INSERT ON dag_run FOR EACH ROW EXECUTE FUNCTION twin();
        CALL measure('plpgsql twin', round, rows);
        DROP TRIGGER twin ON dag_run;
    END LOOP;
END $$;
CALL run_all(:rounds, :rows);

-- Round 0 warms up. Ratios are taken round by round, so that a machine that drifts matters less.
SELECT :pins AS pins, m.contender,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY m.seconds)::numeric, 3) AS seconds,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY m.seconds / n.seconds)::numeric, 3)
           AS "x no trigger",
       round(min(m.seconds / n.seconds)::numeric, 3) AS "min",
       round(max(m.seconds / n.seconds)::numeric, 3) AS "max"
FROM measured m JOIN measured n ON n.round = m.round AND n.contender = 'no trigger'
WHERE m.round > 0
GROUP BY m.contender ORDER BY 4;
