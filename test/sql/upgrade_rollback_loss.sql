-- lost_on_rollback() and export_runs(): what is newer than a backup.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET datestyle = 'ISO';
ALTER TABLE log ADD dag_id varchar(250), ADD event varchar(60);
ALTER TABLE ab_user ADD changed_on timestamp;
CREATE TABLE xcom (dag_run_id int, dag_id varchar(250), run_id varchar(250), task_id varchar(250), map_index int, key varchar(512), value jsonb, timestamp timestamptz);
INSERT INTO dag_run (id, dag_id, run_id, run_type, state, updated_at, conf) VALUES
    (1, 'a', 'old', 'manual', 'success', '2026-01-01 10:00', NULL), (2, 'a', 'new', 'manual', 'success', '2026-01-01 12:00', '{"x": 1}'),
    (3, 'a', 'newer', 'manual', 'running', '2026-01-01 13:00', NULL), (4, 'b', 'changed', 'manual', 'failed', '2026-01-01 12:30', NULL);
INSERT INTO task_instance (id, dag_id, run_id, task_id, state, try_number, pool, pool_slots, updated_at)
    SELECT gen_random_uuid(), dag_id, run_id, task_id, 'success', 1, 'p', 1, updated_at - interval '1 min' * n
    FROM dag_run, (VALUES ('t1', 0), ('t2', 45)) t (task_id, n);
INSERT INTO xcom SELECT id, dag_id, run_id, 't1', -1, 'return_value', '7', updated_at FROM dag_run;
INSERT INTO backfill (dag_id, is_paused, created_at) VALUES ('b', false, '2026-01-01 11:59'), ('b', false, '2026-01-01 12:00');
INSERT INTO log (dttm, dag_id, event) VALUES ('2026-01-01 12:01', 'a', 'trigger_dag_run'), ('2026-01-01 12:02', NULL, 'post_variable'),
    ('2026-01-01 12:03', NULL, 'patch_variable'), ('2026-01-01 12:04', NULL, 'cli_connections_add'), ('2026-01-01 11:00', NULL, 'post_variable');
INSERT INTO ab_user (id, username, changed_on) VALUES (1, 'old', '2026-01-01 11:00'), (2, 'new', '2026-01-01 12:05');
RESET client_min_messages;

SELECT * FROM airflow_pin.lost_on_rollback('2026-01-01 12:00+00');
-- FAB's times have no time zone: they are taken for UTC, whatever the session's is.
SET TimeZone = 'Asia/Tokyo';
SELECT kind, count, first FROM airflow_pin.lost_on_rollback('2026-01-01 12:00+00') WHERE kind = 'user';
SET TimeZone = 'UTC';
SELECT * FROM airflow_pin.lost_on_rollback('2026-02-01');
SELECT * FROM airflow_pin.lost_on_rollback(NULL);
SELECT r #>> '{dag_run,run_id}' AS run, r #>> '{dag_run,conf}' AS conf, jsonb_array_length(r -> 'task_instances') AS tasks, r #> '{xcoms,0,value}' AS xcom
FROM airflow_pin.export_runs('2026-01-01 12:00+00') r;
-- More than are fetched at a time.
INSERT INTO dag_run (id, dag_id, run_id, run_type, updated_at) SELECT 100 + i, 'c', i, 'manual', '2026-01-02' FROM generate_series(1, 250) i;
SELECT count(DISTINCT r #>> '{dag_run,run_id}') FROM airflow_pin.export_runs('2026-01-02') r;
SELECT * FROM airflow_pin.export_runs(NULL);
-- What no jsonb holds costs a run that part, and the others nothing.
ALTER TABLE task_instance ALTER next_kwargs TYPE json;
UPDATE task_instance SET next_kwargs = '{"a": "\u0000"}' WHERE run_id = 'new' AND task_id = 't1';
SELECT r #>> '{dag_run,run_id}' AS run, r #>> '{dag_run,conf}' AS conf, r -> 'task_instances' = 'null' AS no_tasks, r #> '{xcoms,0,value}' AS xcom
FROM airflow_pin.export_runs('2026-01-01 12:00+00') r WHERE r #>> '{dag_run,dag_id}' <> 'c';
ALTER TABLE dag_run ALTER conf TYPE json;
ALTER TABLE xcom ALTER value TYPE json;
UPDATE dag_run SET conf = '"\u0000"' WHERE run_id = 'new';
UPDATE xcom SET value = '"\u0000"' WHERE run_id = 'new';
SELECT * FROM airflow_pin.export_runs('2026-01-01 12:00+00') r WHERE r #>> '{dag_run,run_id}' = 'new';
UPDATE task_instance SET next_kwargs = NULL;

-- Who only monitors may count, and not read.
SET ROLE airflow_pin_monitor;
SELECT sum(count) FROM airflow_pin.lost_on_rollback('2026-01-01 12:00+00');
SELECT * FROM airflow_pin.export_runs('2026-01-01');
RESET ROLE;
DROP TABLE xcom;
SELECT * FROM airflow_pin.export_runs('2026-01-01');
SELECT count(*) > 0 AS others FROM airflow_pin.lost_on_rollback('2026-01-01');
-- Tables of different owners cannot be read together; the others are counted.
CREATE ROLE regress_owner;
ALTER TABLE task_instance OWNER TO regress_owner;
SELECT kind, dag_id, count FROM airflow_pin.lost_on_rollback('2026-01-01 12:00+00') WHERE kind IN ('dag_run', 'task_instance', 'backfill') AND dag_id IS DISTINCT FROM 'c';

\set ECHO none
SET client_min_messages = warning;
DROP OWNED BY regress_owner CASCADE;
DROP ROLE regress_owner;
