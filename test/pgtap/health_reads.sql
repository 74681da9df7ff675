-- What the health functions read of large tables, counted in blocks: the monitoring ones nothing, in_flight()
-- what is in flight, the bounded ones no more than they were told. A clock would tell this less well.
\ir ../fixtures/pgtap.sql

CREATE SCHEMA airflow;
SET LOCAL search_path = airflow, public;
\ir ../fixtures/health_airflow2.sql
CREATE INDEX idx_dag_run_queued_dags ON dag_run (state, dag_id) WHERE state = 'queued';
CREATE INDEX idx_dag_run_running_dags ON dag_run (state, dag_id) WHERE state = 'running';
CREATE INDEX ti_state ON task_instance (state);
INSERT INTO alembic_version VALUES ('5f2621c13b39');

-- 10,000 runs of 10 tasks, 20 of them in flight, each task rescheduled and with an XCom; 20,000 users of 5 roles.
SET LOCAL session_replication_role = replica;
INSERT INTO dag_run (id, dag_id, run_id, execution_date, run_type, state, start_date)
    SELECT r, 'd' || r % 100, 'r' || r, '2024-01-01'::timestamptz + r * interval '1 min', 'scheduled',
           CASE WHEN r > 9990 THEN 'running' WHEN r > 9980 THEN 'queued' ELSE 'success' END, now()
    FROM generate_series(1, 10000) r;
INSERT INTO task_instance (dag_id, run_id, task_id, pool, pool_slots, state)
    SELECT dag_id, run_id, 't' || t, 'default_pool', 1, CASE WHEN id > 9990 THEN 'running' ELSE 'success' END
    FROM dag_run, generate_series(1, 10) t;
INSERT INTO task_reschedule (id, dag_id, run_id, task_id, try_number, start_date, end_date, duration, reschedule_date)
    SELECT row_number() OVER (), dag_id, run_id, task_id, 1, now(), now(), 1, now() FROM task_instance;
INSERT INTO xcom (dag_run_id, dag_id, run_id, task_id, key, value, timestamp)
    SELECT substr(run_id, 2)::int, dag_id, run_id, task_id, 'return_value', '{"rows": 1}', now() FROM task_instance;
INSERT INTO ab_role (id, name) SELECT r, 'role' || r FROM generate_series(1, 5) r;
INSERT INTO ab_user (id, first_name, last_name, username, email)
    SELECT u, 'f', 'l', 'u' || u, u || '@x' FROM generate_series(1, 20000) u;
INSERT INTO ab_user_role SELECT row_number() OVER (), u.id, r.id FROM ab_user u, ab_role r;
RESET session_replication_role;
ANALYZE;

-- Tables of more than 100 blocks, and what this session has read of them, their indexes included.
CREATE TEMP VIEW counters AS
    SELECT t.relname AS name, t.relpages AS pages, pg_stat_get_xact_numscans(t.oid) AS scans,
           pg_stat_get_xact_blocks_fetched(t.oid) AS heap, i.blocks AS indexes
    FROM pg_class t, LATERAL (SELECT coalesce(sum(pg_stat_get_xact_blocks_fetched(indexrelid)), 0) AS blocks
                              FROM pg_index WHERE indrelid = t.oid) i
    WHERE t.relnamespace = 'airflow'::regnamespace AND t.relkind = 'r' AND t.relpages > 100;
CREATE FUNCTION pg_temp.reads(statement text, OUT name name, OUT pages int, OUT scans bigint, OUT heap bigint, OUT indexes numeric)
    RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE before AS SELECT * FROM counters;
    EXECUTE statement;
    RETURN QUERY SELECT a.name, a.pages, a.scans - b.scans, a.heap - b.heap, a.indexes - b.indexes
        FROM counters a JOIN before b USING (name);
    DROP TABLE before;
END $$;

SELECT set_has($$SELECT name FROM counters$$,
               $$VALUES ('task_instance'::name), ('task_reschedule'), ('xcom'), ('ab_user'), ('ab_user_role'), ('dag_run')$$,
               'the tables are large');
SELECT is_empty(format('SELECT * FROM pg_temp.reads(%L) WHERE scans + heap + indexes > 0', statement),
                statement || ' reads no large table')
    FROM unnest(ARRAY['SELECT * FROM airflow_pin.table_sizes()', 'SELECT * FROM airflow_pin.locks()',
                      'SELECT * FROM airflow_pin.migration_plan()', 'SELECT * FROM airflow_pin.status()']) statement;

SELECT is_empty($$SELECT * FROM pg_temp.reads('SELECT * FROM airflow_pin.in_flight()')
                  WHERE scans > 0 OR heap > 120 OR indexes > 30$$,
                'in_flight() finds 20 runs and 100 task instances by index');

-- Up to three rules a table read a tenth of it each (dag_run has no more rows than may be read); of a table
-- looked up in, each row costs at most four blocks of the index and one of the table.
CREATE FUNCTION pg_temp.over_bound(report text)
    RETURNS SETOF record LANGUAGE sql AS $$
    SELECT r FROM pg_temp.reads(format('SELECT * FROM airflow_pin.%s(max_rows => 10000, max_time => NULL)', report)) r
    WHERE scans > 0 OR heap > CASE WHEN name IN ('task_instance', 'ab_user') THEN 25000
                                   WHEN name = 'dag_run' THEN pages ELSE 0.35 * pages END
       OR indexes > CASE WHEN name IN ('task_instance', 'ab_user') THEN 100000 ELSE 10 END $$;
SELECT is_empty($$SELECT pg_temp.over_bound('fab_report')$$, 'fab_report() reads as many rows as it may');
SELECT is_empty($$SELECT pg_temp.over_bound('bad_rows')$$, 'bad_rows() reads as many rows as it may');
SELECT isnt_empty(format('SELECT * FROM pg_temp.reads(%L) WHERE name = %L AND heap >= 0.05 * pages', statement, name),
                  format('%s reads %s', statement, name))
    FROM (VALUES ('SELECT * FROM airflow_pin.fab_report(10000, NULL)', 'ab_user_role'),
                 ('SELECT * FROM airflow_pin.bad_rows(10000, NULL)', 'task_reschedule')) t (statement, name);

-- Statistics of an empty table make the planner want to read the parent again for every row.
ALTER TABLE ab_user DROP CONSTRAINT ab_user_pkey CASCADE;
UPDATE pg_class SET reltuples = 0 WHERE oid IN ('ab_user'::regclass, 'ab_user_role'::regclass);
SET LOCAL statement_timeout = '20 s';
SELECT is_empty($$SELECT * FROM pg_temp.reads('SELECT * FROM airflow_pin.fab_report(NULL, ''1 h'')') WHERE scans > 10$$,
                'fab_report() reads a parent without index once a rule');

SELECT * FROM finish();
ROLLBACK;
