-- Airflow 3.0: json, other columns in another order, configured defaults that are not serialized, tasks that are
-- looked up in the latest version, and clearing that moves the commit.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set airflow_3_0 1
\i :abs_srcdir/fixtures/begin.sql
SELECT item, state FROM airflow_pin.status() WHERE item IN ('airflow_revision', 'in_force') ORDER BY item;

-- Version 2 has another task more; version 1 is held.
CALL lab.commit('d', 'a', lab.task('extract', '{"pool": "one"}'), lab.task('load'));
CALL lab.commit('d', 'b', lab.task('extract'), lab.task('load', '{"retries": 4}'), lab.task('report'));
SELECT version_number, bundle_version FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'held');
SELECT run_id, state, version, commit, tasks FROM lab.whole;
SELECT task_id, version, pool, queue, max_tries FROM lab.tasks ORDER BY task_id;

-- Which version is the latest goes by the time.
CALL lab.two_versions('clock');
SELECT version_number FROM airflow_pin.pin('clock');
UPDATE dag_version SET created_at = created_at - interval '1 hour' WHERE dag_id = 'clock' AND version_number = 2;
SELECT version_number, bundle_version FROM airflow_pin.pin('clock');
SELECT dag_id, pinned_version, latest_version, versions_behind FROM airflow_pin.pins() WHERE dag_id = 'clock';
-- The commit of the latest version may be one that only dag has, of a parse that has looked.
UPDATE dag SET bundle_version = 'c', last_parsed_time = now() + interval '1 hour' WHERE dag_id = 'clock';
SELECT version_number, bundle_version FROM airflow_pin.pin('clock', 1);
SELECT version_number, bundle_version FROM airflow_pin.pin('clock', 1, bundle_version => 'a');
SELECT airflow_pin.pin('clock', 2, bundle_version => 'c');
\echo :SQLSTATE
-- From 3.3 on it goes by the number.
BEGIN;
ALTER TABLE dag_version ADD version_data json;
SELECT version_number FROM airflow_pin.pin('clock');
ROLLBACK;

-- A version with a task that the latest does not have cannot be held: such a task does not start.
CALL lab.two_versions('gone');
SELECT airflow_pin.pin('gone', 1);
\echo :SQLSTATE
SELECT version_number, on_mismatch FROM airflow_pin.pin('gone', 1, 'observe');
SELECT version_number, on_mismatch FROM airflow_pin.pin('gone', 1, 'reject');
CALL lab.two_versions('back');
SELECT airflow_pin.rollback('back');
\echo :SQLSTATE
-- It may also be lost later.
SELECT version_number FROM airflow_pin.pin('gone', 2, 'rewrite');
CALL lab.commit('gone', 'c', lab.task('extract'));
CALL lab.run('gone', 'scheduled');
CALL lab.run('gone', 'asked for', 'manual');
\echo :SQLSTATE
SELECT run_id, state, version, commit, tasks FROM lab.whole WHERE run_id IN ('scheduled', 'asked for');
SELECT action, version_number, reason FROM airflow_pin.resolve('gone');
-- Airflow 3.1 looks into the version of the run.
BEGIN;
ALTER TABLE dag_run ADD triggering_user_name varchar(512);
SELECT version_number FROM airflow_pin.pin('gone', 1, 'rewrite');
CALL lab.run('gone', '3.1');
COMMIT;
SELECT run_id, state, version, commit, tasks FROM lab.whole WHERE run_id = '3.1';
ALTER TABLE dag_run DROP triggering_user_name;

-- The configuration sets default_queue, default_task_retries and default_task_weight_rule, as what Airflow
-- creates shows.
CREATE PROCEDURE lab.configured_run(dag text, run text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lab.create_run(dag, run);
    UPDATE task_instance t SET queue = 'configured' WHERE run_id = run AND queue = 'default';
    UPDATE task_instance t SET max_tries = 7 WHERE run_id = run AND max_tries = 0;
    UPDATE task_instance t SET priority_weight = CASE task_id WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 3 END
        WHERE run_id = run; -- upstream
END $$;
CALL lab.commit('conf', 'a', lab.task('a', '{"downstream_task_ids": ["b"]}'),
    lab.task('b', '{"downstream_task_ids": ["c"], "queue": "own", "retries": 1}'), lab.task('c'));
CALL lab.configured_run('conf', 'conf 0');
CALL lab.commit('conf', 'b', lab.task('a', '{"queue": "own", "downstream_task_ids": ["b"]}'),
    lab.task('b', '{"downstream_task_ids": ["c"]}'), lab.task('c', '{"retries": 2}'));
SELECT version_number FROM airflow_pin.pin('conf', 1);
CALL lab.configured_run('conf', 'conf 1');
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id LIKE 'conf _' ORDER BY 1, 2;
-- A hook that changes one task instance does not count for the others.
BEGIN;
CALL lab.configured_run('conf', 'hook');
UPDATE task_instance SET queue = 'hook', max_tries = 70, priority_weight = 70 WHERE run_id = 'hook' AND task_id = 'b';
UPDATE task_instance SET queue = 'configured' WHERE run_id = 'hook' AND task_id = 'a';
COMMIT;
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'hook' ORDER BY 1, 2;
-- Nor does one without values, or of a task that the DAG does not have.
BEGIN;
CALL lab.configured_run('conf', 'odd');
UPDATE task_instance SET task_id = 'x' WHERE run_id = 'odd' AND task_id = 'c';
UPDATE task_instance SET queue = NULL, priority_weight = NULL WHERE run_id = 'odd' AND task_id = 'b';
COMMIT;
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'odd' ORDER BY 1, 2;
-- Where the run itself shows nothing, the first run of the pinned version does.
CALL lab.commit('conf', 'c', lab.task('a', '{"queue": "x", "retries": 3, "weight_rule": "absolute"}'),
    lab.task('b', '{"queue": "x", "retries": 3, "weight_rule": "absolute"}'),
    lab.task('c', '{"queue": "x", "retries": 3, "weight_rule": "absolute"}'));
CALL lab.run('conf', 'conf 2');
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'conf 2' ORDER BY 1, 2;
-- One that was cleared does not, as its max_tries are others; then Airflow's own defaults are taken.
UPDATE dag_run SET clear_number = 1 WHERE dag_id = 'conf';
CALL lab.run('conf', 'conf 3');
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'conf 3' ORDER BY 1, 2;
-- Airflow 3.1 takes its own defaults for what an old serialized DAG leaves out.
BEGIN;
ALTER TABLE dag_run ADD triggering_user_name varchar(512);
CALL lab.run('conf', 'conf 4');
COMMIT;
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'conf 4' ORDER BY 1, 2;
ALTER TABLE dag_run DROP triggering_user_name;

-- Clearing leaves a run its version and moves it to the latest commit.
SELECT version_number FROM airflow_pin.pin('d', 1, reruns => 'pinned');
UPDATE dag_run SET state = 'success' WHERE run_id = 'held';
UPDATE dag_run SET state = 'queued', clear_number = clear_number + 1, bundle_version = 'b' WHERE run_id = 'held';
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id = 'held';
SELECT version_number FROM airflow_pin.pin('d', 1, reruns => 'airflow');
UPDATE dag_run SET bundle_version = 'b' WHERE run_id = 'held';
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id = 'held';
-- A run that has no version yet, so that nothing shows of what was asked for: the first run of the pinned version tells.
SELECT version_number FROM airflow_pin.unpin('conf');
UPDATE dag_run SET clear_number = 0 WHERE run_id = 'conf 0';
SELECT version_number FROM airflow_pin.pin('conf', 1);
INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id) VALUES ('conf', 'no version', 'scheduled', 'queued', 1);
SELECT run_id, task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'no version' ORDER BY 1, 2;
SELECT requested, effective FROM lab.decisions WHERE run_id = 'no version';
-- All that differs from Airflow's defaults is the retries, or the weight rule.
CALL lab.commit('rule', 'a', lab.task('a', '{"queue": "own", "retries": 1, "downstream_task_ids": ["b"]}'), lab.task('b', '{"queue": "own", "retries": 1}'));
CALL lab.configured_run('rule', 'rule 0');
CALL lab.commit('rule', 'b', lab.task('a', '{"queue": "own", "downstream_task_ids": ["b"]}'), lab.task('b', '{"queue": "own"}'), lab.task('c'));
SELECT version_number FROM airflow_pin.pin('rule', 1);
CALL lab.configured_run('rule', 'rule 1');
SELECT task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'rule 1' ORDER BY 1;

CALL lab.commit('retries', 'a', lab.task('a', '{"queue": "own", "weight_rule": "absolute"}'));
CALL lab.commit('retries', 'b', lab.task('a', '{"queue": "own", "weight_rule": "absolute"}'), lab.task('b'));
SELECT version_number FROM airflow_pin.pin('retries', 1);
CALL lab.configured_run('retries', 'retries 1');
SELECT task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'retries 1' ORDER BY 1;

-- Only the version that Airflow asks for leaves something to the configuration.
CALL lab.commit('explicit', 'a', lab.task('a', '{"queue": "default", "retries": 0, "weight_rule": "downstream"}'));
CALL lab.commit('explicit', 'b', lab.task('a'), lab.task('b'));
SELECT version_number FROM airflow_pin.pin('explicit', 1);
CALL lab.configured_run('explicit', 'explicit 1');
SELECT task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'explicit 1' ORDER BY 1;
INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id) VALUES ('explicit', 'no version either', 'scheduled', 'queued', 1);
SELECT task_id, version, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'no version either' ORDER BY 1;

-- What both leave to the configuration keeps no other column from being set while Airflow inserts the row.
BEGIN;
SELECT lab.create_run('d', 'adopted');
SELECT task_id, version, pool, queue, max_tries FROM lab.tasks WHERE run_id = 'adopted' ORDER BY 1;
COMMIT;
SELECT task_id, version, pool, queue, max_tries FROM lab.tasks WHERE run_id = 'adopted' ORDER BY 1;

-- A run that fails gets back what Airflow had from the configuration.
CALL lab.commit('fails', 'a', lab.task('a', '{"queue": "own", "retries": 1, "pool": "one"}'), lab.task('b', '{"weight_rule": "my_plugin.Strategy"}'));
CALL lab.commit('fails', 'b', lab.task('a'), lab.task('b'), lab.task('c'));
SELECT version_number FROM airflow_pin.pin('fails', 1);
CALL lab.configured_run('fails', 'fails 1');
SELECT state, version, tasks FROM lab.whole WHERE run_id = 'fails 1';
SELECT task_id, version, pool, queue, max_tries, weight FROM lab.tasks WHERE run_id = 'fails 1' ORDER BY 1;

-- What the latest version's tasks are called cannot be read: then it has none of the pinned ones.
CALL lab.commit('odd', 'a', lab.task('t'));
CALL lab.commit('odd', 'b', lab.task('t'));
SELECT version_number FROM airflow_pin.pin('odd', 1);
SELECT version_number FROM airflow_pin.unpin('odd');
UPDATE serialized_dag SET data = jsonb_set(data::jsonb, '{dag,tasks}', '[1, {"__var": {}}, {"__var": {"task_id": 7}}]')::json
    WHERE dag_version_id = lab.uuid('odd2');
SELECT airflow_pin.pin('odd', 1);
UPDATE serialized_dag SET data = jsonb_set(data::jsonb, '{dag,tasks}', '{"t": 1}')::json WHERE dag_version_id = lab.uuid('odd2');
SELECT airflow_pin.pin('odd', 1);
UPDATE serialized_dag SET data = (data::jsonb #- '{dag,tasks}')::json WHERE dag_version_id = lab.uuid('odd2');
SELECT airflow_pin.pin('odd', 1);
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('odd2');
SELECT airflow_pin.pin('odd', 1);
