-- DROP EXTENSION and CREATE EXTENSION in one session, with a warm cache and kept plans.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'before');
CALL lab.two_versions('free');
CALL lab.run('free', 'free_1');

-- Attached, and without CASCADE: the trigger goes along, Airflow goes on.
DROP VIEW lab.decisions, lab.pins, lab.history;
DROP EXTENSION airflow_pin;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'dag_run'::regclass AND NOT tgisinternal;
CALL lab.run('d', 'without');

CREATE EXTENSION airflow_pin;
CALL lab.run('d', 'not attached');
SELECT airflow_pin.attach();
CALL lab.run('d', 'not pinned');
SELECT version_number FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'pinned');
SELECT version_number FROM airflow_pin.rollback('d');
SELECT version_number FROM airflow_pin.pin('free', 1);
CALL lab.run('free', 'free_2');
SELECT run_id, version, commit FROM lab.runs ORDER BY run_id;
SELECT task_id, version FROM lab.tasks WHERE run_id = 'pinned' ORDER BY task_id;
SELECT run_id, action FROM airflow_pin.run_decision ORDER BY id;
SELECT dag_id, pinned_version FROM airflow_pin.pins();

-- In one transaction, and rolled back.
BEGIN;
DROP EXTENSION airflow_pin;
CALL lab.run('d', 'dropped');
CREATE EXTENSION airflow_pin;
SELECT airflow_pin.attach();
CALL lab.run('d', 'new and unpinned');
SELECT version_number FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'new and pinned');
SELECT run_id, version FROM lab.runs WHERE run_id IN ('dropped', 'new and unpinned', 'new and pinned') ORDER BY 1;
ROLLBACK;
CALL lab.run('d', 'as before');
SELECT run_id, version FROM lab.runs WHERE run_id = 'as before';

-- Library and SQL objects of different versions, as during an upgrade: pins hold, and status() says what to do.
BEGIN;
UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'airflow_pin';
SELECT state, detail FROM airflow_pin.status() WHERE item IN ('library', 'in_force');
UPDATE pg_extension SET extversion = '10.0' WHERE extname = 'airflow_pin';
SELECT state, detail FROM airflow_pin.status() WHERE item IN ('library', 'in_force');
ROLLBACK;

-- Airflow's tables dropped and created again, as "airflow db reset" does.
SET client_min_messages = warning;
DROP SCHEMA public CASCADE;
SELECT count(*) FROM airflow_pin.pinned_version;
DROP SCHEMA lab CASCADE;
CREATE SCHEMA public;
\set ECHO none
\i :abs_srcdir/fixtures/airflow3.sql
\set ECHO all
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
SELECT airflow_pin.attach();
SELECT lab.add_version('d', 'a', ARRAY[lab.task('t')]), lab.add_version('d', 'b', ARRAY[lab.task('u')]);
-- The old pin does not take the new version 1, even of the same id, for the one that was pinned.
SELECT lab.create_run('d', 'reset') \g /dev/null
SELECT run_id, state, version_number AS version FROM dag_run r JOIN dag_version v ON v.id = created_dag_version_id;
SELECT action, requested_version, effective_version FROM airflow_pin.run_decision WHERE run_id = 'reset';
-- ALTER EXTENSION
RESET client_min_messages;
ALTER EXTENSION airflow_pin UPDATE;
ALTER EXTENSION airflow_pin SET SCHEMA lab;
\echo :SQLSTATE
