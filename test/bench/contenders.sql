-- For the benchmarks of inserts: copies of Airflow's dag_run, and a procedure that puts a contender on one. They are copies
-- all, because the tables that reference Airflow's own cost each of its statements something.
-- Variable: library (path of empty_trigger without .so).
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION airflow_pin;
SELECT airflow_pin.attach();

INSERT INTO dag_bundle (name) VALUES ('bench');
INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, max_active_tasks, max_consecutive_failed_dag_runs,
                 has_task_concurrency_limits, timetable_type, fail_fast, partition_mapper_info)
    SELECT 'nightly_sales_report_' || n, false, false, 'bench', 16, 0, false, '', false, '{}' FROM generate_series(1, 1000) n;
INSERT INTO dag_version (id, version_number, dag_id, bundle_name, bundle_version, created_at, last_updated)
    SELECT md5(dag_id)::uuid, 1, dag_id, bundle_name, 'c1', now(), now() FROM dag;

-- A copy of dag_run with all indexes and foreign keys.
CREATE PROCEDURE copy_dag_run(schema name) LANGUAGE plpgsql AS $$
DECLARE
    key text;
BEGIN
    EXECUTE format('CREATE SCHEMA %I', schema);
    EXECUTE format('CREATE TABLE %I.dag_run (LIKE public.dag_run INCLUDING ALL)', schema);
    FOR key IN SELECT pg_get_constraintdef(oid) FROM pg_constraint
               WHERE conrelid = 'public.dag_run'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE %I.dag_run ADD %s', schema, key);
    END LOOP;
END $$;
DO $$
BEGIN
    FOR copy IN 0..5 LOOP
        CALL copy_dag_run(('copy_' || copy)::name);
    END LOOP;
END $$;

CREATE FUNCTION empty_trigger() RETURNS trigger LANGUAGE c AS :'library', 'empty_trigger';
CREATE FUNCTION bench_mark() RETURNS void LANGUAGE c AS :'library', 'bench_mark';
\ir twin.sql

-- The copy gets what the contender has, and nothing of another.
CREATE PROCEDURE place(contender text, copy name) LANGUAGE plpgsql AS $$
DECLARE
    trigger name;
    definition text;
BEGIN
    FOR trigger IN SELECT tgname FROM pg_trigger
                   WHERE tgrelid = format('%I.dag_run', copy)::regclass AND NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %I.dag_run', trigger, copy);
    END LOOP;
    EXECUTE format('ALTER TABLE %I.dag_run DROP CONSTRAINT IF EXISTS contender', copy);
    CASE contender
        WHEN 'none', 'again' THEN NULL;
        WHEN 'empty', 'twin' THEN
            EXECUTE format('CREATE TRIGGER contender BEFORE INSERT ON %I.dag_run FOR EACH ROW EXECUTE FUNCTION %I()', copy,
                           CASE contender WHEN 'twin' THEN 'twin' ELSE 'empty_trigger' END);
        WHEN 'key' THEN
            EXECUTE format('ALTER TABLE %I.dag_run ADD CONSTRAINT contender FOREIGN KEY (dag_id) REFERENCES dag NOT VALID', copy);
        WHEN 'pin' THEN
            FOR definition IN SELECT pg_get_triggerdef(oid) FROM pg_trigger
                              WHERE tgrelid = 'public.dag_run'::regclass AND NOT tgisinternal LOOP
                EXECUTE replace(definition, ' ON public.dag_run ', format(' ON %I.dag_run ', copy));
            END LOOP;
    END CASE;
END $$;

-- So many DAGs have a pin, and none of those that run.
CREATE PROCEDURE set_pins(pins integer) LANGUAGE sql AS $$
    DELETE FROM airflow_pin.pinned_version;
    DELETE FROM twin_pin;
    INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, bundle_version, on_mismatch)
        SELECT 'pinned_' || n, '-infinity', 1, gen_random_uuid(), 'c1', 'rewrite' FROM generate_series(1, pins) n;
    INSERT INTO twin_pin SELECT dag_id, dag_version_id, bundle_version FROM airflow_pin.pinned_version;
$$;
