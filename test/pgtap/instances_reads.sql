-- What rewriting a run reads, counted in blocks: of a DAG that is stored as text, the content of each of the two versions
-- once in a transaction, for however many runs.
\ir ../fixtures/pgtap.sql

CREATE SCHEMA airflow;
SET LOCAL search_path = airflow, public;
\ir ../fixtures/airflow3.sql
\ir ../fixtures/airflow30.sql
SET LOCAL client_min_messages = warning;
SELECT airflow_pin.attach('airflow') \g /dev/null
ALTER TABLE serialized_dag ALTER data SET STORAGE EXTERNAL;
CREATE FUNCTION pg_temp.add(dag text, commit text) RETURNS integer LANGUAGE sql AS $$
    SELECT lab.add_version(dag, commit, array_agg(lab.task('task_' || n, jsonb_build_object('doc_md', repeat(commit, 2000)))))
        FROM generate_series(1, 100) n $$;
SELECT pg_temp.add(dag, commit), airflow_pin.pin(dag, 1)
    FROM unnest(ARRAY['d', 'e', 'f']) dag, LATERAL (SELECT commit FROM unnest(ARRAY['a', 'b']) commit ORDER BY 1) c \g /dev/null

-- Blocks of the contents that were read since the last call.
CREATE FUNCTION pg_temp.blocks() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := coalesce(nullif(current_setting('test.blocks', true), ''), '0');
    now bigint := pg_stat_get_xact_blocks_fetched(reltoastrelid) FROM pg_class WHERE oid = 'serialized_dag'::regclass;
BEGIN
    PERFORM set_config('test.blocks', now::text, true);
    RETURN now - before;
END $$;

-- Airflow's part, which reads no content: it has that in memory.
CREATE FUNCTION pg_temp.run(dag text, run text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id, bundle_version, created_dag_version_id)
        VALUES (dag, run, 'scheduled', 'queued', 1, 'b', lab.uuid(dag || 2));
    INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, max_tries, pool, pool_slots, dag_version_id)
        SELECT gen_random_uuid(), 'task_' || n, dag, run, 0, 0, 'default_pool', 1, lab.uuid(dag || 2) FROM generate_series(1, 100) n;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
END $$;

SELECT pg_temp.blocks() \g /dev/null
SELECT octet_length(data::text) FROM serialized_dag WHERE dag_version_id IN (lab.uuid('d1'), lab.uuid('d2')) \g /dev/null
SELECT pg_temp.blocks() AS whole \gset
SELECT pg_temp.run('d', 'first') \g /dev/null
SELECT pg_temp.blocks() AS first \gset
SELECT pg_temp.run('d', 'second') \g /dev/null
SELECT pg_temp.blocks() AS second \gset
SELECT pg_temp.run('e', 'other') \g /dev/null
SELECT pg_temp.blocks() AS other \gset

-- A run of the pinned version at another commit, whose task instances are what they have to be.
INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id, bundle_version, created_dag_version_id)
    VALUES ('f', 'commit', 'scheduled', 'queued', 1, 'b', lab.uuid('f1'));
SELECT pg_temp.blocks() \g /dev/null
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, max_tries, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'task_1', 'f', 'commit', 0, 0, 'default_pool', 1, lab.uuid('f1'));
SELECT pg_temp.blocks() AS same_version \gset
SELECT bundle_version AS commit FROM dag_run WHERE run_id = 'commit' \gset
DELETE FROM dag_run WHERE run_id = 'commit';

SELECT results_eq($$ SELECT count(*), count(DISTINCT v.version_number), min(v.version_number) FROM task_instance t
    JOIN dag_version v ON v.id = t.dag_version_id $$, 'VALUES (300::bigint, 1::bigint, 1)', 'all runs were rewritten');
SELECT cmp_ok(:whole, '>', 20, 'the contents take many blocks');
SELECT is(:first, :whole, 'the first run reads each of two contents once');
SELECT is(:second, 0, 'the second run of the DAG reads none');
SELECT is(:other, :whole, 'a run of another DAG reads its own');
SELECT is(:'commit'::text, 'a', 'a run of the pinned version gets the pinned commit');
SELECT is(:same_version, 0, 'its task instances are not looked at');

SELECT * FROM finish();
ROLLBACK;
