-- Version and commit belong together: a version is pinned at a commit at which it was parsed, and not at one that Airflow
-- has moved the DAG or a run to before it looked. (Airflow 3.3; see command_which_commit_3_0 for those before.)
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CREATE VIEW lab.versions AS
    SELECT v.dag_id, v.version_number AS version, v.bundle_version AS commit, s.data #>> '{dag,tasks,0,__var,task_id}' AS task,
           c.source_code
    FROM dag_version v JOIN serialized_dag s ON s.dag_version_id = v.id JOIN dag_code c ON c.dag_version_id = v.id;

-- Two commits within the interval: Airflow's own run is version 1 at commit b, but the version is at a.
CALL lab.version('d', 'a', ARRAY[lab.task('of_a')]);
CALL lab.skipped_parse('d', 'b');
CALL lab.run('d', 'mixed');
SELECT run_id, version, commit FROM lab.runs;
SELECT version_number, bundle_version, action, reason FROM airflow_pin.resolve('d');
SELECT version_number, bundle_version FROM airflow_pin.pin('d');
SELECT airflow_pin.pin('d', bundle_version => 'b');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 1, bundle_version => 'b');
\echo :SQLSTATE
SELECT version_number FROM airflow_pin.unpin('d');
-- The next parse makes version 2 of it. Version 1 stays at a, whatever its run had.
CALL lab.version('d', 'b', ARRAY[lab.task('of_b')]);
SELECT version_number, bundle_version FROM airflow_pin.rollback('d');
SELECT airflow_pin.pin('d', 1, bundle_version => 'b');
\echo :SQLSTATE
SELECT version_number, bundle_version FROM airflow_pin.pin('d', bundle_version => 'b');
SELECT version_number, bundle_version FROM airflow_pin.pin('d', bundle_version => 'a');
CALL lab.run('d', 'held');
SELECT run_id, version, commit FROM lab.runs WHERE run_id = 'held';

-- The same with version 1 pinned: no version of half a parse, and a whole one when Airflow has looked.
CALL lab.version('p', 'a', ARRAY[lab.task('of_a')]);
SELECT version_number, bundle_version FROM airflow_pin.pin('p');
CALL lab.skipped_parse('p', 'b');
CALL lab.skipped_parse('p', 'b');
SELECT version, commit, task, source_code FROM lab.versions WHERE dag_id = 'p' ORDER BY version;
BEGIN;
UPDATE dag SET bundle_version = 'b' WHERE dag_id = 'p';
UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks}', jsonb_build_array(lab.task('of_b'))), dag_hash = 'b' WHERE dag_id = 'p';
UPDATE dag_version SET bundle_version = 'b' WHERE id = lab.uuid('p1');
CALL lab.skipped_parse('p', 'b');
COMMIT;
SELECT version, commit, task, source_code FROM lab.versions WHERE dag_id = 'p' ORDER BY version;
-- Only bodies: the same, as a version of the same tasks.
CALL lab.version('q', 'a', ARRAY[lab.task('of_a')]);
SELECT version_number, bundle_version FROM airflow_pin.pin('q');
CALL lab.skipped_parse('q', 'b');
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'q' ORDER BY version;
SELECT lab.change_bodies('q', 'b') \g /dev/null
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'q' ORDER BY version;
SELECT version_number, bundle_version FROM airflow_pin.pin('q', bundle_version => 'b');

-- A commit that is named with a number: one at which runs of the version were, and nothing speaks against it.
CALL lab.version('r', 'a', ARRAY[lab.task('t')]);
CALL lab.run('r', 'too_early');
CALL lab.later('r');
SELECT lab.change_bodies('r', 'b') \g /dev/null
CALL lab.run('r', 'at_b');
SELECT lab.change_bodies('r', 'c') \g /dev/null
SELECT bundle_version FROM airflow_pin.pin('r', 1, bundle_version => 'b');
SELECT airflow_pin.pin('r', 1, bundle_version => 'a');
\echo :SQLSTATE
-- ... but a run after it speaks for a commit.
BEGIN;
UPDATE dag_run SET queued_at = clock_timestamp() WHERE run_id = 'too_early';
SELECT bundle_version FROM airflow_pin.pin('r', 1, bundle_version => 'a');
ROLLBACK;
SELECT airflow_pin.pin('r', 1, bundle_version => 'x');
\echo :SQLSTATE
SELECT bundle_version FROM airflow_pin.pin('r', 1, bundle_version => 'c');
SELECT version_number FROM airflow_pin.unpin('r');
-- Not one that runs of a later version had, too: its row has moved on since.
CALL lab.run('r', 'of_c');
CALL lab.later('r');
CALL lab.version('r', 'd', ARRAY[lab.task('t'), lab.task('u')]);
CALL lab.run('r', 'of_d');
SELECT lab.change_bodies('r', 'e') \g /dev/null
UPDATE dag_run SET bundle_version = 'd' WHERE run_id = 'of_c';
SELECT airflow_pin.pin('r', 1, bundle_version => 'd');
\echo :SQLSTATE
-- What an override gets is the version's own, too.
CALL lab.version('o', 'a', ARRAY[lab.task('of_a')]);
CALL lab.version('o', 'b', ARRAY[lab.task('of_b')]);
CALL lab.skipped_parse('o', 'c');
CALL lab.run('o', 'mixed');
SELECT version_number FROM airflow_pin.pin('o', 1, allow_override => true);
CALL lab.run('o', 'override', 'manual', '{"airflow_pin_version": 2}');
CALL lab.run('o', 'latest', 'manual', '{"airflow_pin_version": "latest"}');
SELECT run_id, version, commit FROM lab.runs WHERE dag_id = 'o' ORDER BY run_id;

-- await_commit() returns when the commit is parsed, and else says what is.
CALL airflow_pin.await_commit('o', 'a');
CALL airflow_pin.await_commit('o', 'b');
CALL airflow_pin.await_commit('o', 'c', '50 ms', '10 ms');
\echo :SQLSTATE
CALL airflow_pin.await_commit('o', 'x', '0 s');
CALL lab.skipped_parse('o', 'b');
CALL airflow_pin.await_commit('o', 'x', '0 s');
CALL airflow_pin.await_commit('nowhere', 'x', '0 s');
INSERT INTO dag (dag_id, bundle_name) VALUES ('no_version', 'git');
CALL airflow_pin.await_commit('no_version', 'x', '0 s');
SELECT airflow_pin.pin('no_version', bundle_version => 'x');
\echo :SQLSTATE
CALL lab.two_versions('disk', 'local');
CALL airflow_pin.await_commit('disk', 'x', '0 s');
SET default_transaction_isolation = 'repeatable read';
CALL airflow_pin.await_commit('o', 'b');
RESET default_transaction_isolation;
CALL airflow_pin.await_commit(NULL, 'b');
\echo :SQLSTATE
CALL airflow_pin.await_commit('o', NULL);
CALL airflow_pin.await_commit('o', 'b', NULL);
CALL airflow_pin.await_commit('o', 'b', '1 s', NULL);
CALL airflow_pin.await_commit('o', 'b', '-1 s');
\echo :SQLSTATE
CALL airflow_pin.await_commit('o', 'b', '1 s', '0 s');
\echo :SQLSTATE
BEGIN;
CALL airflow_pin.await_commit('o', 'b');
\echo :SQLSTATE
ROLLBACK;

-- Whoever may call it needs no right on Airflow's tables.
CREATE ROLE regress_release;
GRANT USAGE ON SCHEMA airflow_pin TO regress_release;
SET ROLE regress_release;
CALL airflow_pin.await_commit('o', 'b');
\echo :SQLSTATE
RESET ROLE;
GRANT EXECUTE ON PROCEDURE airflow_pin.await_commit TO regress_release;
SET ROLE regress_release;
CALL airflow_pin.await_commit('o', 'b');
CALL airflow_pin.await_commit('o', 'x', '0 s');
SET airflow_pin.min_serialized_dag_update_interval = 0;
\echo :SQLSTATE
RESET ROLE;
DROP OWNED BY regress_release;
DROP ROLE regress_release;

-- A setting of superusers.
SET airflow_pin.min_serialized_dag_update_interval = -1;
SHOW airflow_pin.min_serialized_dag_update_interval;
SELECT context FROM pg_settings WHERE name = 'airflow_pin.min_serialized_dag_update_interval';
