-- in_flight() and drain(): what is not finished.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql

SELECT * FROM airflow_pin.in_flight();
SET client_min_messages = notice;
CALL airflow_pin.drain();
SET client_min_messages = warning;

-- Every state that Airflow 2.10 to 3.3 has, an hour longer each. What is finished does not count.
CREATE FUNCTION add_run(run text, dag text, state text, queued interval, started interval) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO dag_run (dag_id, run_id, run_type, state, queued_at, start_date)
    VALUES (dag, run, 'manual', state, now() - queued, now() - started) $$;
SELECT add_run('r1', 'a', 'queued', '2 h', NULL), add_run('r2', 'a', 'queued', '1 h', NULL),
       add_run('r3', 'b', 'running', '5 h', '4 h'), add_run('r4', 'b', 'success', '9 h', '9 h'),
       add_run('r5', 'b', 'failed', '9 h', '9 h');
INSERT INTO task_instance (id, dag_id, run_id, task_id, state, try_number, pool, pool_slots,
                           queued_dttm, start_date, end_date, updated_at)
SELECT gen_random_uuid(), 'b', 'r3', 'task' || n, state, 1, 'default_pool', 1,
       now() - n * interval '1 h', now() - n * interval '2 h', now() - n * interval '3 h', now() - n * interval '4 h'
FROM unnest(ARRAY['removed', 'scheduled', 'queued', 'running', 'success', 'restarting', 'failed', 'up_for_retry',
                  'up_for_reschedule', 'upstream_failed', 'skipped', 'deferred', 'awaiting_input', 'shutdown',
                  NULL]) WITH ORDINALITY AS s (state, n);
INSERT INTO backfill (dag_id, is_paused, created_at, completed_at)
VALUES ('b', false, now() - interval '1 day', NULL), ('b', true, now() - interval '2 days', NULL),
       ('c', NULL, now() - interval '3 days', NULL), ('c', false, now(), now());
SELECT kind, state, dag_id, count, date_trunc('hour', now() - oldest + interval '1 min') AS since,
       abs(extract(epoch FROM age - (now() - oldest))) < 10 AS age_is_right
FROM airflow_pin.in_flight();

-- Unlike a run that nobody knows since when.
UPDATE dag_run SET queued_at = NULL WHERE dag_id = 'a';
SELECT kind, state, dag_id, count, oldest, age FROM airflow_pin.in_flight() WHERE dag_id = 'a';

-- drain() says what is left, and gives up at the timeout.
SET client_min_messages = notice;
CALL airflow_pin.drain('0');
SET client_min_messages = warning;
CALL airflow_pin.drain('50 ms', '10 ms');
CALL airflow_pin.drain(poll => '10 ms', timeout => '50 ms');
-- The timeout counts, not the next poll.
SET statement_timeout = '10 s';
CALL airflow_pin.drain('50 ms', '1 hour');
RESET statement_timeout;

-- It cannot hold a transaction while it waits.
BEGIN;
CALL airflow_pin.drain('0');
ROLLBACK;
CREATE FUNCTION pg_temp.drains() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL airflow_pin.drain(); END';
SELECT pg_temp.drains();
DO 'BEGIN CALL airflow_pin.drain(''50 ms'', ''20 ms''); END';
CALL airflow_pin.drain(NULL);
CALL airflow_pin.drain('1 s', '0 s');
CALL airflow_pin.drain('-1 s');
CALL airflow_pin.drain('1000 years');
CALL airflow_pin.drain('-1000 years');
CALL airflow_pin.drain('40000 days');
CALL airflow_pin.drain('900000 hours');

-- Monitoring may look and wait, without a right on the tables.
SET ROLE airflow_pin_monitor;
SELECT count(*) FROM dag_run;
SELECT sum(count) FROM airflow_pin.in_flight();
CALL airflow_pin.drain('0');
RESET ROLE;

-- Look-alikes in the caller's search_path, or of operators, are not used.
CREATE SCHEMA trap;
CREATE FUNCTION trap.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'called as %', current_user; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.eq);
SET search_path = trap, pg_catalog;
SELECT sum(count) FROM airflow_pin.in_flight();
CALL airflow_pin.drain('0');
RESET search_path;
DROP SCHEMA trap CASCADE;

-- A view is nobody's dag_run; a table without Airflow's columns says so.
ALTER TABLE dag_run RENAME COLUMN queued_at TO other;
SELECT * FROM airflow_pin.in_flight();
ALTER TABLE dag_run RENAME COLUMN other TO queued_at;

-- Airflow 2 has no backfills; a database may have no Airflow at all.
DROP TABLE backfill;
SELECT DISTINCT kind FROM airflow_pin.in_flight() ORDER BY 1;
SELECT airflow_pin.detach();
DROP TABLE alembic_version;
SET client_min_messages = notice;
SELECT * FROM airflow_pin.in_flight();
CALL airflow_pin.drain();
