-- What holding a schedule costs, counted in blocks: a row of dag that no such pin holds is written as without the trigger; one
-- that is held reads by index only, and its version's serialized DAG once.
\ir ../fixtures/pgtap.sql

CREATE SCHEMA airflow;
SET LOCAL search_path = airflow, public;
\ir ../fixtures/airflow3.sql
\ir ../fixtures/hold.sql
\set ECHO none
SET LOCAL client_min_messages = warning;
SELECT airflow_pin.attach('airflow') \g /dev/null
SELECT lab.add_version('dag_' || n, c, ARRAY[lab.task('t')], jsonb_build_object('timetable', lab.cron('0 0 * * *'), 'start_date', 1767225600.0,
        'catchup', true)) FROM generate_series(1, 300) n, unnest(ARRAY['a', 'b']) c \g /dev/null
INSERT INTO dag_run (dag_id, run_id, run_type, state, logical_date, data_interval_start, data_interval_end)
    SELECT 'dag_' || n, d::text, 'scheduled', 'success', d, d, d + '1 day' FROM generate_series(1, 300) n,
        generate_series('2026-01-01'::timestamptz, '2026-01-30', '1 day') d;
CREATE INDEX ON dag_run (dag_id);
-- as Airflow has described it; else another DAG that it has is looked for
UPDATE dag SET timetable_summary = '0 0 * * *', timetable_description = 'At 00:00';
SELECT airflow_pin.pin('dag_1', 1, schedule => 'pinned'), airflow_pin.pin('dag_2', 1, schedule => 'latest') \g /dev/null
SET CONSTRAINTS ALL IMMEDIATE;
ANALYZE;
-- A transaction that has attached, or made a table, counts as a migration's, whose writes are not held.
COMMIT;
BEGIN;
SET LOCAL search_path = airflow, public;

-- The blocks that a parse of one DAG touches: the least of 20.
CREATE FUNCTION pg_temp.blocks(dag text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    least bigint;
    plan json;
BEGIN
    FOR n IN 1 .. 20 LOOP
        EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) UPDATE dag SET last_parsed_time = %L, max_active_runs = 3,
                        next_dagrun = NULL WHERE dag_id = %L', clock_timestamp(), dag) INTO plan;
        least := least(least, (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint
                              + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint);
    END LOOP;
    RETURN least;
END $$;
CREATE TEMP TABLE figures (name text PRIMARY KEY, blocks bigint);
INSERT INTO figures VALUES ('unpinned', pg_temp.blocks('dag_3'));
INSERT INTO figures VALUES ('latest', pg_temp.blocks('dag_2'));
INSERT INTO figures VALUES ('held', pg_temp.blocks('dag_1'));
SELECT is(max_active_runs, 16, 'it is held') FROM dag WHERE dag_id = 'dag_1';
CREATE TEMP VIEW scans AS
    SELECT relname, pg_stat_get_xact_numscans(oid) AS scans FROM pg_class
    WHERE relname IN ('pinned_version', 'dag_version', 'serialized_dag', 'dag_run', 'dag') AND relkind = 'r';
CREATE TEMP TABLE before AS SELECT * FROM scans;
CREATE TEMP TABLE index_before AS SELECT pg_stat_get_xact_numscans(i.indexrelid) AS scans FROM pg_index i
    WHERE i.indrelid = 'serialized_dag'::regclass;
UPDATE dag SET last_parsed_time = clock_timestamp() WHERE dag_id = 'dag_1';
SELECT is_empty('SELECT s.relname, s.scans - b.scans FROM scans s JOIN before b USING (relname) WHERE s.scans > b.scans',
                'no table is read in full');
ALTER TABLE dag DISABLE TRIGGER airflow_pin_hold;
INSERT INTO figures VALUES ('without trigger', pg_temp.blocks('dag_3'));
ALTER TABLE dag ENABLE TRIGGER airflow_pin_hold;
CREATE FUNCTION pg_temp.figure(text) RETURNS bigint LANGUAGE sql AS 'SELECT blocks FROM figures WHERE name = $1';
-- Some blocks more or less are those of pages that are pruned.
SELECT cmp_ok(abs(pg_temp.figure('unpinned') - pg_temp.figure('without trigger')), '<=', 4::bigint, 'a DAG without a pin reads nothing more');
SELECT cmp_ok(abs(pg_temp.figure('latest') - pg_temp.figure('without trigger')), '<=', 4::bigint, 'nor does one whose pin leaves the schedule alone');
SELECT cmp_ok(pg_temp.figure('held') - pg_temp.figure('unpinned'), '<=', 60::bigint, 'a held row reads at most 60 blocks more, those of the catalog included');
SELECT * FROM finish();
ROLLBACK;
SET client_min_messages = warning;
DROP EXTENSION airflow_pin CASCADE;
DROP SCHEMA airflow, lab CASCADE;
