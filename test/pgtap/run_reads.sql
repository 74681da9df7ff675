-- What holding a run costs, counted in blocks: of a DAG without a pin nothing, however many pins there are; of a pinned
-- one as much with 10,000 pins as with one, and no table is read in full.
\ir ../fixtures/pgtap.sql

CREATE SCHEMA airflow;
SET LOCAL search_path = airflow, public;
\ir ../fixtures/airflow3.sql
SET LOCAL client_min_messages = warning;
SELECT airflow_pin.attach('airflow') \g /dev/null
SELECT count(lab.add_version('dag_' || n, 'a', ARRAY[lab.task('t')])), count(lab.add_version('dag_' || n, 'b', ARRAY[lab.task('t')]))
    FROM generate_series(1, 1000) n \g /dev/null
SELECT airflow_pin.pin('dag_1', 1) \g /dev/null
ANALYZE;

-- The blocks that inserting one run touches, its BEFORE triggers included: the least of 20, as the indexes grow meanwhile.
CREATE FUNCTION pg_temp.blocks(dag text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    least bigint;
    plan json;
BEGIN
    FOR n IN 1 .. 20 LOOP
        EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) INSERT INTO dag_run (dag_id, run_id, run_type, state,
                        creating_job_id, bundle_version, created_dag_version_id) VALUES (%L, %L, %L, %L, 1, %L, %L)',
                       dag, clock_timestamp(), 'scheduled', 'queued', 'b', lab.uuid(dag || '2')) INTO plan;
        least := least(least, (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint
                              + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint);
    END LOOP;
    RETURN least;
END $$;

SELECT pg_temp.blocks('dag_2') AS with_trigger, pg_temp.blocks('dag_1') AS pinned \gset
ALTER TABLE dag_run DISABLE TRIGGER airflow_pin_enforce;
SELECT pg_temp.blocks('dag_2') AS without_trigger \gset
ALTER TABLE dag_run ENABLE TRIGGER airflow_pin_enforce;
SELECT is(:with_trigger, :without_trigger, 'a run that no pin touches reads nothing more than without the trigger');
SELECT cmp_ok(:pinned - :with_trigger, '<=', 45, 'a pinned run reads at most 45 blocks more');

INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, bundle_version, on_mismatch)
    SELECT 'other_' || n, '-infinity', 1, gen_random_uuid(), 'a', 'rewrite' FROM generate_series(1, 10000) n;
ANALYZE airflow_pin.pinned_version;
SELECT is(pg_temp.blocks('dag_2')::integer, :with_trigger, 'the same with 10,000 pins of other DAGs');
SELECT cmp_ok(pg_temp.blocks('dag_1')::integer, '<=', :pinned + 2, 'a pinned run: at most the index''s second level more');

-- The pins of a DAG are read once, also of one whose name is long, wherever the name stands.
CREATE FUNCTION pg_temp.looks_at_pins() RETURNS bigint LANGUAGE sql AS
    $$ SELECT sum(pg_stat_get_xact_numscans(indexrelid)) FROM pg_index WHERE indrelid = 'airflow_pin.pinned_version'::regclass $$;
SELECT pg_temp.looks_at_pins() AS before \gset
-- the second version is a write of dag, whose trigger looks, too
SELECT lab.add_version('long_name_' || repeat(n::text, 100), version, ARRAY[lab.task('t')])
    FROM generate_series(1, 9) n, unnest(ARRAY['a', 'b']) AS version \g /dev/null
INSERT INTO dag_run (dag_id, run_id, run_type, state) SELECT dag_id, 'long', 'scheduled', 'queued' FROM dag WHERE dag_id LIKE 'long%';
SELECT pg_temp.blocks(dag_id) FROM dag WHERE dag_id LIKE 'long%' ORDER BY dag_id DESC \g /dev/null
SELECT is(pg_temp.looks_at_pins() - :before, 9::bigint, 'one look at the pins for 21 runs of each DAG with a long name');

-- From the insert to the commit: tables of many rows are read by index only.
CREATE TEMP VIEW scans AS
    SELECT relname, pg_stat_get_xact_numscans(oid) AS scans FROM pg_class
    WHERE relname IN ('pinned_version', 'dag_version', 'serialized_dag', 'dag_run', 'task_instance') AND relkind = 'r';
CREATE TEMP TABLE before AS SELECT * FROM scans;
SELECT lab.create_run('dag_1', 'whole') \g /dev/null
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is(version, 1, 'the run is rewritten') FROM dag_run JOIN dag_version v ON v.id = created_dag_version_id
    CROSS JOIN LATERAL (SELECT version_number AS version) x WHERE run_id = 'whole';
SELECT is(a.scans - b.scans, 0::bigint, 'no sequential scan of ' || a.relname) FROM scans a JOIN before b USING (relname)
    WHERE a.relname IN ('pinned_version', 'dag_version', 'serialized_dag') ORDER BY a.relname;

SELECT * FROM finish();
ROLLBACK;
