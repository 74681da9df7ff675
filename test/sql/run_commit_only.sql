-- A commit that changes function bodies only makes no new version: the pin holds the commit too. (Here past the
-- version guard, which makes one of it; see version_guard.)
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- No time passes here between a write of the DAG and the next parse; see command_which_commit.
SET airflow_pin.min_serialized_dag_update_interval = 0;
CALL lab.version('d', 'a', ARRAY[lab.task('t')]);
SELECT version_number, bundle_version FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'run_a');
CALL lab.unguarded($$SELECT lab.change_bodies('d', 'b')$$);
CALL lab.run('d', 'run_b');
SELECT run_id, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, task_id, version FROM lab.tasks ORDER BY run_id;
SELECT run_id, action, requested, effective, req_commit, eff_commit, detail FROM lab.decisions;
SELECT drift FROM airflow_pin.pins();
SELECT version_number, bundle_version, action, reason FROM airflow_pin.resolve('d');

-- Under reject it is a mismatch like any other.
SELECT bundle_version FROM airflow_pin.pin('d', 1, 'reject', bundle_version => 'a');
CALL lab.run('d', 'refused', 'manual');
CALL lab.run('d', 'run_c');
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id = 'run_c';

-- Pinning the version again takes the commit that it has now; its older one can be named.
SELECT bundle_version FROM airflow_pin.pin('d', 1);
CALL lab.unguarded($$SELECT lab.change_bodies('d', 'c')$$);
CALL lab.run('d', 'run_d');
SELECT commit FROM lab.runs WHERE run_id = 'run_d';
SELECT bundle_version FROM airflow_pin.pin('d', 1, bundle_version => 'a');
CALL lab.run('d', 'run_e');
SELECT commit FROM lab.runs WHERE run_id = 'run_e';

-- A commit that the DAG never had under that version is refused.
SELECT airflow_pin.pin('d', 1, bundle_version => 'nowhere');
\echo :SQLSTATE
CALL lab.version('d', 'z', ARRAY[lab.task('t'), lab.task('u')]);
SELECT airflow_pin.pin('d', 1, bundle_version => 'z');
SELECT airflow_pin.pin('d', 2, bundle_version => 'a');

-- Without a commit given, an older version is pinned at its own, which follows its last parse: not at the one that
-- its last run had, ...
SELECT bundle_version FROM airflow_pin.pin('d', 1, bundle_version => 'b');
CALL lab.run('d', 'run_f');
SELECT bundle_version FROM airflow_pin.pin('d', 1);
-- ... nor at the one of today, which Airflow 3.0 gives each run that is cleared.
UPDATE dag_run SET bundle_version = 'z', clear_number = 1 WHERE run_id = (SELECT run_id FROM dag_run
    WHERE created_dag_version_id = lab.uuid('d1') ORDER BY id DESC LIMIT 1) RETURNING run_id;
SELECT bundle_version FROM airflow_pin.pin('d', 1);
SELECT airflow_pin.pin('d', 1, bundle_version => 'z');
\echo :SQLSTATE
CALL lab.two_versions('fresh');
SELECT bundle_version FROM airflow_pin.pin('fresh', 1);
-- Back from one commit to another of the same version.
CALL lab.version('back', 'a', ARRAY[lab.task('t')]);
SELECT bundle_version FROM airflow_pin.pin('back', 1);
CALL lab.unguarded($$SELECT lab.change_bodies('back', 'b')$$);
SELECT bundle_version FROM airflow_pin.pin('back', 1);
SELECT version_number, bundle_version FROM airflow_pin.rollback('back');
-- The same version at no commit, or at one where the pin has none, is another run.
CALL lab.version('commitless', 'a', ARRAY[lab.task('t')]);
SELECT bundle_version FROM airflow_pin.pin('commitless', 1);
INSERT INTO dag_run (dag_id, run_id, run_type, state, created_dag_version_id) VALUES ('commitless', 'no commit', 'manual', 'queued', lab.uuid('commitless1'));
SELECT version, commit FROM lab.runs WHERE run_id = 'no commit';
CALL lab.two_versions('gate', 'local');
SELECT bundle_version FROM airflow_pin.pin('gate', 2, 'reject');
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('gate', 'a commit', 'manual', 'queued', 'x', lab.uuid('gate2'));
-- Without a commit the source code tells; one that is not known tells nothing.
DELETE FROM dag_code WHERE dag_version_id = lab.uuid('gate2');
CALL lab.unguarded($$DELETE FROM dag_code WHERE dag_version_id = lab.uuid('gate2')$$);
CALL lab.run('gate', 'no source');
SELECT state, version FROM lab.runs WHERE run_id = 'no source';
SELECT source_code_hash FROM airflow_pin.pin('gate', 2, 'reject');
CALL lab.run('gate', 'no source of the pin');
SELECT state, version FROM lab.runs WHERE run_id = 'no source of the pin';
-- A DAG that opts out of its bundle's versions has no commit, and one that says something else has.
CALL lab.version('opts', 'a', ARRAY[lab.task('t')], '{"disable_bundle_versioning": true}');
CALL lab.version('opts', 'b', ARRAY[lab.task('t')], '{"disable_bundle_versioning": false}');
CALL lab.version('opts', 'c', ARRAY[lab.task('t')], '{"disable_bundle_versioning": "yes"}');
SELECT version_number, bundle_version FROM generate_series(1, 3) n, airflow_pin.pin('opts', n, 'reject') ORDER BY 1;
