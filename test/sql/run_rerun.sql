-- reruns => 'pinned': a run that exists is not run again at another version or commit than the pinned one.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.version('d', 'a', ARRAY[lab.task('t')]);
CALL lab.run('d', 'old');
UPDATE dag_run SET state = 'success' WHERE run_id = 'old';
CALL lab.commit('d', 'b', lab.task('u'));
CALL lab.run('d', 'new');
UPDATE dag_run SET state = 'failed' WHERE run_id = 'new';
CALL lab.run('d', 'going');
-- clear_task_instances: back to queued, with "latest version" at that.
CREATE PROCEDURE lab.clear(run text, latest boolean) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dag_run SET state = 'queued', clear_number = clear_number + 1,
        created_dag_version_id = CASE WHEN latest THEN lab.uuid('d2') ELSE created_dag_version_id END,
        bundle_version = CASE WHEN latest THEN 'b' ELSE bundle_version END WHERE run_id = run;
END $$;
SELECT version_number, reruns FROM airflow_pin.pin('d', 1, reruns => 'pinned');

-- A run of the pinned version may run again, but not move; one of another version may not run again.
CALL lab.clear('old', true);
\echo :SQLSTATE
CALL lab.clear('new', false);
CALL lab.clear('new', true);
CALL lab.clear('old', false);
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id COLLATE "C";
-- A run that is under way may not move either; going on, ending and other changes are nobody's business.
UPDATE dag_run SET bundle_version = 'c' WHERE run_id = 'going';
UPDATE dag_run SET created_dag_version_id = lab.uuid('d1') WHERE run_id = 'going';
UPDATE dag_run SET state = 'running', last_scheduling_decision = now() WHERE run_id = 'going';
UPDATE dag_run SET state = 'success' WHERE run_id = 'going';
UPDATE dag_run SET state = 'failed' WHERE run_id = 'going';
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id = 'going';
-- The right version at another commit is another run: one of the pin keeps its commit, and one of another
-- commit, or of none, does not get yet another.
UPDATE dag_run SET bundle_version = 'elsewhere' WHERE run_id = 'old' RETURNING run_id, state, bundle_version;
UPDATE dag_run SET bundle_version = NULL, clear_number = 5 WHERE run_id = 'old'
    RETURNING run_id, clear_number, bundle_version;
SET airflow_pin.enabled = off;
UPDATE dag_run SET bundle_version = 'elsewhere' WHERE run_id = 'old';
RESET airflow_pin.enabled;
UPDATE dag_run SET bundle_version = 'b' WHERE run_id = 'old';
UPDATE dag_run SET bundle_version = 'a' WHERE run_id = 'old' RETURNING bundle_version;
-- A new run is held as ever.
CALL lab.run('d', 'next');
SELECT version, commit FROM lab.runs WHERE run_id = 'next';

-- Where no such pin rules, Airflow has its way.
SELECT version_number FROM airflow_pin.pin('d', 1, reruns => 'pinned', run_types => '{manual}');
CALL lab.clear('new', false);
UPDATE dag_run SET state = 'failed' WHERE run_id = 'new';
SELECT version_number FROM airflow_pin.pin('d', 1, 'observe', run_types => '{}', reruns => 'pinned');
CALL lab.clear('new', false);
UPDATE dag_run SET state = 'failed' WHERE run_id = 'new';
SELECT version_number FROM airflow_pin.pin('d', 1, on_mismatch => 'rewrite', reruns => 'airflow');
CALL lab.clear('new', false);
UPDATE dag_run SET state = 'failed' WHERE run_id = 'new';
SELECT version_number FROM airflow_pin.pin('d', 1, reruns => 'pinned');
SET airflow_pin.enabled = off;
CALL lab.clear('new', false);
RESET airflow_pin.enabled;
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'new';

-- Deleting a version empties the column of its runs, also of one that is under way.
DELETE FROM task_instance;
DELETE FROM dag_version WHERE id = lab.uuid('d2');
SELECT run_id, state, version FROM lab.runs WHERE run_id IN ('new', 'going') ORDER BY run_id;
-- A run without state, of a DAG without pins, of no version, or moved by a migration of this session's own.
CALL lab.two_versions('more');
CALL lab.run('more', 'free');
UPDATE dag_run SET state = 'failed' WHERE run_id = 'free';
UPDATE dag_run SET state = NULL WHERE run_id = 'free';
UPDATE dag_run SET state = 'queued' WHERE run_id = 'free' RETURNING run_id, state;
UPDATE dag_run SET state = 'failed' WHERE run_id = 'free';
UPDATE dag_run SET state = 'queued' WHERE run_id = 'free' RETURNING run_id, state;
INSERT INTO dag_run (dag_id, run_id, run_type, state) VALUES ('more', 'versionless', 'manual', 'failed');
SELECT version_number FROM airflow_pin.pin('more', 1, reruns => 'pinned');
UPDATE dag_run SET state = 'queued', created_dag_version_id = lab.uuid('more2') WHERE run_id = 'versionless';
UPDATE dag_run SET state = 'queued' WHERE run_id = 'versionless';
\echo :SQLSTATE
SELECT pg_advisory_lock(1) \g /dev/null
UPDATE dag_run SET state = 'queued', created_dag_version_id = lab.uuid('more2') WHERE run_id = 'versionless' RETURNING run_id, state;
SELECT pg_advisory_unlock(1) \g /dev/null
-- A pin without a commit holds those of none.
CALL lab.two_versions('gate', 'local');
CALL lab.run('gate', 'gate 2');
UPDATE dag_run SET state = 'failed' WHERE run_id = 'gate 2';
SELECT version_number, bundle_version FROM airflow_pin.pin('gate', 1, 'reject', reruns => 'pinned');
UPDATE dag_run SET state = 'queued' WHERE run_id = 'gate 2';
SELECT version_number, bundle_version FROM airflow_pin.pin('gate', 2, 'reject', reruns => 'pinned');
UPDATE dag_run SET state = 'queued', bundle_version = 'x' WHERE run_id = 'gate 2' RETURNING run_id, state, bundle_version;
UPDATE dag_run SET state = 'failed' WHERE run_id = 'gate 2';
SET airflow_pin.enabled = off;
UPDATE dag_run SET bundle_version = 'x' WHERE run_id = 'gate 2';
RESET airflow_pin.enabled;
UPDATE dag_run SET state = 'queued' WHERE run_id = 'gate 2';
