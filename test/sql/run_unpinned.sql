-- airflow_pin.unpinned_dags, and the kill switch.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('pinned');
CALL lab.two_versions('free');
SELECT version_number FROM airflow_pin.pin('pinned', 1);

-- The cache knows both DAGs already when the setting changes.
CALL lab.run('pinned', 'pinned_1');
CALL lab.run('free', 'free_1');
SET airflow_pin.unpinned_dags = reject;
CALL lab.run('pinned', 'pinned_2');
CALL lab.run('free', 'free_2');
CALL lab.run('free', 'free_3', 'manual');
\echo :SQLSTATE
CALL lab.run('free', 'free_4', 'of_the_future');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, task_id, version, state FROM lab.tasks WHERE run_id = 'free_2' ORDER BY task_id;
SELECT run_id, action, requested, effective, detail FROM lab.decisions WHERE run_id LIKE 'free%';
SELECT action, reason FROM airflow_pin.resolve('free');
SELECT item, state FROM airflow_pin.status() WHERE item IN ('unpinned_dags', 'in_force');

-- A pin of whatever kind lets a DAG run.
SELECT version_number FROM airflow_pin.pin('free');
CALL lab.run('free', 'free_5', 'manual');
SELECT state, version FROM lab.runs WHERE run_id = 'free_5';
SELECT version_number FROM airflow_pin.unpin('free');

-- The kill switch is before everything else.
SET airflow_pin.enabled = off;
CALL lab.run('pinned', 'off_1');
CALL lab.run('free', 'off_2', 'manual');
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id LIKE 'off%' ORDER BY run_id;
SELECT count(*) FROM airflow_pin.run_decision WHERE run_id LIKE 'off%';
SELECT dag_id, version_number, action FROM unnest(ARRAY['pinned', 'free']) dag_id, airflow_pin.resolve(dag_id)
    AS r (version_number, b, c, action, reason);
SELECT item, state FROM airflow_pin.status() WHERE item IN ('enabled', 'in_force');
SELECT airflow_pin.pin('free');
\echo :SQLSTATE
SELECT airflow_pin.rollback('pinned');
\echo :SQLSTATE
-- Taking a pin off is always possible.
SELECT version_number FROM airflow_pin.unpin('pinned');
RESET airflow_pin.enabled;
CALL lab.run('pinned', 'pinned_3');
SELECT state FROM lab.runs WHERE run_id = 'pinned_3';
RESET airflow_pin.unpinned_dags;
CALL lab.run('pinned', 'pinned_4');
SELECT state, version FROM lab.runs WHERE run_id = 'pinned_4';

-- Values that are none.
SET airflow_pin.unpinned_dags = maybe;
SET airflow_pin.typo = on;
\echo :SQLSTATE
