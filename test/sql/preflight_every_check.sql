-- preflight() and is_ready(): every check on a clean and on a broken database.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql

-- Without sizes and times, which differ from run to run, and other sessions' transactions.
CREATE VIEW findings AS
    SELECT check_name, severity, object,
           CASE WHEN check_name NOT IN ('disk_space', 'table_sizes', 'leftovers') THEN value END AS value, threshold, message, fix_sql
    FROM airflow_pin.preflight('3.3.2')
    WHERE check_name NOT IN ('autovacuum', 'disk_space', 'dependent_views', 'time_zone');

-- Clean.
DROP TABLE _airflow_moved__2_2__dangling__task_instance, _airflow_deleted__xcom__20250101000000, _xcom_archive;
SELECT * FROM findings;
SELECT severity, object, message FROM airflow_pin.preflight() WHERE check_name = 'disk_space';
SELECT airflow_pin.is_ready();

-- It holds no lock on any table afterwards.
BEGIN;
SELECT count(*) > 0 AS checked FROM airflow_pin.preflight();
SELECT relation::regclass FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384;
ROLLBACK;

-- Work going on: what runs now is critical, what can be taken up later is not.
INSERT INTO dag_run (dag_id, run_id, run_type, state, queued_at)
VALUES ('a', 'r1', 'manual', 'queued', now() - interval '150 min'), ('b', 'r2', 'manual', 'queued', now());
INSERT INTO backfill (dag_id, is_paused, created_at) VALUES ('b', true, now());
SELECT * FROM findings WHERE check_name IN ('in_flight', 'queued_long');
SELECT airflow_pin.is_ready('3.3.2');
INSERT INTO task_instance (id, dag_id, run_id, task_id, state, try_number, pool, pool_slots, queued_dttm)
VALUES (gen_random_uuid(), 'a', 'r1', 't1', 'running', 1, 'p', 1, NULL),
       (gen_random_uuid(), 'b', 'r2', 't2', 'queued', 1, 'p', 1, now() - interval '2 days');
SELECT check_name, severity, object, value, threshold FROM findings WHERE check_name IN ('in_flight', 'queued_long');
SELECT airflow_pin.is_ready('3.3.2');
UPDATE task_instance SET state = 'restarting' WHERE task_id = 't1';
SELECT check_name, severity, object, value FROM findings WHERE check_name = 'in_flight';
-- Many DAGs are not named one by one.
INSERT INTO dag_run (dag_id, run_id, run_type, state, queued_at)
SELECT 'many' || i, 'r', 'manual', 'queued', now() - interval '2 hours' FROM generate_series(1, 30) i;
SELECT count(*), max(message) FILTER (WHERE object IS NULL) AS rest FROM findings WHERE check_name = 'queued_long';
TRUNCATE dag_run, task_instance, backfill;

-- Leftovers, and dead rows.
CREATE TABLE _xcom_archive (key text);
CREATE TABLE _airflow_deleted__log__20250101000000 (id int);
SELECT * FROM findings WHERE check_name = 'leftovers';
SELECT airflow_pin.is_ready();

-- A prepared transaction, where the server has them.
SELECT current_setting('max_prepared_transactions')::int > 0 AS can_prepare \gset
CREATE TABLE seen (severity text, object text, fix_sql text, ready boolean);
\if :can_prepare
BEGIN;
LOCK TABLE ab_role IN ACCESS SHARE MODE;
INSERT INTO ab_user VALUES (1, 'held');
PREPARE TRANSACTION 'held';
INSERT INTO seen SELECT severity, object, fix_sql, airflow_pin.is_ready()
FROM findings WHERE check_name = 'prepared_transactions';
ROLLBACK PREPARED 'held';
\else
INSERT INTO seen VALUES ('critical', 'PREPARE TRANSACTION ''held''', 'ROLLBACK PREPARED ''held'';', false);
\endif
SELECT * FROM seen;

-- A check that fails is unknown, and the others are made.
ALTER TABLE dag_run RENAME COLUMN queued_at TO other;
SELECT check_name, severity, message FROM findings WHERE check_name IN ('in_flight', 'lock_holders', 'long_transactions');
ALTER TABLE dag_run RENAME COLUMN other TO queued_at;

-- Monitoring sees the same; a role that may only execute it is told what it does not see.
CREATE TABLE expected_findings AS SELECT * FROM findings;
GRANT SELECT ON findings, expected_findings TO airflow_pin_monitor;
SET ROLE airflow_pin_monitor;
SELECT check_name, severity, message FROM airflow_pin.preflight('3.3.2')
    WHERE check_name NOT IN ('autovacuum', 'disk_space', 'dependent_views', 'time_zone')
EXCEPT SELECT check_name, severity, message FROM expected_findings;
SELECT airflow_pin.is_ready();
RESET ROLE;
CREATE ROLE airflow_pin_nobody;
GRANT USAGE ON SCHEMA airflow_pin TO airflow_pin_nobody;
GRANT EXECUTE ON FUNCTION airflow_pin.preflight(text) TO airflow_pin_nobody;
SET ROLE airflow_pin_nobody;
SELECT check_name, severity, message FROM airflow_pin.preflight('3.3.2') WHERE severity = 'unknown';
RESET ROLE;
REVOKE ALL ON SCHEMA airflow_pin FROM airflow_pin_nobody;
REVOKE ALL ON FUNCTION airflow_pin.preflight(text) FROM airflow_pin_nobody;
DROP ROLE airflow_pin_nobody;

-- Targets are versions of Airflow.
SELECT airflow_pin.is_ready('3.3'), airflow_pin.is_ready('2.11.2'), airflow_pin.is_ready('3.1.0rc1');
SELECT airflow_pin.is_ready('newest');
SELECT airflow_pin.is_ready('');
SELECT airflow_pin.is_ready('3.x');
SELECT airflow_pin.is_ready('3.3rc1');
SELECT airflow_pin.is_ready('-3.-3');
SELECT airflow_pin.is_ready('+3.3');
SELECT airflow_pin.is_ready(' 3.3.2');
SELECT airflow_pin.is_ready('3.3.-2');

-- A database without Airflow's tables is not ready.
SET airflow_pin.airflow_schema = 'nowhere';
SELECT check_name, severity, object, message FROM airflow_pin.preflight();
SELECT airflow_pin.is_ready();
RESET airflow_pin.airflow_schema;
SELECT airflow_pin.detach();
DROP TABLE alembic_version;
SELECT * FROM airflow_pin.preflight();
SELECT airflow_pin.is_ready();
