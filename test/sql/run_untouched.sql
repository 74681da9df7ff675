-- Rows of dag_run that are not runs to be started by Airflow pass as they are.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number FROM airflow_pin.pin('d', 1, 'reject');
-- restored or copied with their end
CALL lab.run('d', '01 success', 'manual', state => 'success');
CALL lab.run('d', '02 failed', 'scheduled', state => 'failed');
CALL lab.run('d', '03 unknown state', 'scheduled', state => 'of_the_future');
-- "airflow dags test" runs the files at hand
CALL lab.run('d', '04 test', 'manual', by => 'test');
CALL lab.run('d', '05 TEST', 'manual', state => 'running', by => 'TEST');
-- "airflow tasks test" too: it inserts a running run with an id of its own. A run that is triggered with such an id is queued.
CALL lab.run('d', '__airflow_temporary_run_2026-11-29T12:00:00+00:00__', 'manual', state => 'running', by => 'cli');
CALL lab.run('d', '__airflow_temporary_run_mine', 'manual', by => 'rest_api');
CALL lab.run('d', '__airflow_temporary_run_scheduled', 'scheduled', state => 'running');
-- these are to be started
CALL lab.run('d', '06 queued', 'scheduled', by => 'timetable');
CALL lab.run('d', '07 running', 'scheduled', state => 'running');
CALL lab.run('d', '08 no state', 'scheduled', state => NULL);
CALL lab.run('d', '09 tests', 'scheduled', by => 'tests');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id FROM lab.decisions ORDER BY run_id;

-- Updates are none of its business: clearing, moving on, the foreign key's SET NULL.
SELECT version_number FROM airflow_pin.pin('d', 1, 'rewrite');
UPDATE dag_run SET state = 'queued', clear_number = 1, created_dag_version_id = lab.uuid('d2'), bundle_version = 'b'
    WHERE run_id = '06 queued';
SELECT state, version, commit FROM lab.runs WHERE run_id = '06 queued';
CALL lab.version('v', 'a', ARRAY[lab.task('t')]);
CALL lab.run('v', 'v1');
SELECT version_number FROM airflow_pin.pin('v');
DELETE FROM task_instance WHERE run_id = 'v1';
DELETE FROM dag WHERE dag_id = 'v';
SELECT state, version, commit FROM lab.runs WHERE run_id = 'v1';

-- Runs of a DAG that dag does not have, and without a version.
SELECT version_number FROM airflow_pin.pin('d', 1);
INSERT INTO dag_run (dag_id, run_id, run_type, state) VALUES ('stranger', 'stranger', 'manual', 'queued');
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state) VALUES ('d', 'no version', 'scheduled', 'queued');
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots)
    VALUES (gen_random_uuid(), 'report', 'd', 'no version', 0, 'default_pool', 1);
COMMIT;
SELECT dag_id, run_id, state, version, commit FROM lab.runs WHERE run_id IN ('stranger', 'no version') ORDER BY run_id;
SELECT run_id, action, requested, effective, detail FROM lab.decisions WHERE run_id = 'no version';
SELECT task_id, version FROM lab.tasks WHERE run_id = 'no version' ORDER BY task_id;

-- A restored run_decision reconciles nothing.
CALL lab.run('d', 'restored', 'scheduled', state => 'success');
INSERT INTO airflow_pin.run_decision (dag_id, run_id, run_type, action, requested_version, effective_version,
    requested_dag_version_id, effective_dag_version_id, airflow_schema)
    VALUES ('d', 'restored', 'scheduled', 'rewrite', 2, 1, lab.uuid('d2'), lab.uuid('d1'), 'public');
SELECT task_id, version FROM lab.tasks WHERE run_id = 'restored' ORDER BY task_id;

-- ON CONFLICT DO NOTHING, COPY, and a run that is deleted again before the commit.
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'restored', 'scheduled', 'queued', 'b', lab.uuid('d2')) ON CONFLICT DO NOTHING;
SELECT state, version FROM lab.runs WHERE run_id = 'restored';
CALL lab.run('d', 'pinned');
UPDATE task_instance SET state = 'success', max_tries = 7 WHERE run_id = 'pinned';
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'pinned', 'scheduled', 'queued', 'b', lab.uuid('d2')) ON CONFLICT DO NOTHING;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'restored', 'scheduled', 'queued', 'b', lab.uuid('d2'))
    ON CONFLICT (dag_id, run_id) DO UPDATE SET clear_number = 1;
SELECT run_id, task_id, version, state, max_tries FROM lab.tasks WHERE run_id IN ('pinned', 'restored') ORDER BY 1, 2;
-- restored by COPY while they were under way
BEGIN;
COPY dag_run (dag_id, run_id, run_type, state, bundle_version) FROM stdin;
d	copied	scheduled	queued	b
\.
SELECT state, version, commit FROM lab.runs WHERE run_id = 'copied';
ROLLBACK;
BEGIN;
CALL lab.run('d', 'deleted');
DELETE FROM dag_run WHERE run_id = 'deleted';
COMMIT;
SELECT count(*) FROM dag_run WHERE run_id = 'deleted';
