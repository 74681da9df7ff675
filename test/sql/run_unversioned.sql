-- A bundle that is not versioned: Airflow runs the files on disk, so that only a gate can hold.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d', 'local');
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 1, 'rewrite', bundle_version => 'a');
\echo :SQLSTATE

-- reject compares the version, ...
SELECT version_number, bundle_name, bundle_version FROM airflow_pin.pin('d', 1, 'reject');
CALL lab.run('d', 'manual_1', 'manual');
CALL lab.run('d', 'scheduled_1');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
-- ... and, as there is no commit, the hash of the file.
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject');
CALL lab.run('d', 'manual_2', 'manual');
CALL lab.run('d', 'scheduled_2');
CALL lab.unguarded($$UPDATE dag_code SET source_code = 'changed', source_code_hash = md5('changed') WHERE dag_version_id = lab.uuid('d2')$$);
CALL lab.run('d', 'manual_3', 'manual');
CALL lab.run('d', 'scheduled_3');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, action, requested, effective, detail FROM lab.decisions;
SELECT drift FROM airflow_pin.pins();
SELECT version_number, bundle_version, action, reason FROM airflow_pin.resolve('d');
-- Pinning again accepts the file as it is now.
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject');
CALL lab.run('d', 'manual_4', 'manual');
SELECT state FROM lab.runs WHERE run_id = 'manual_4';
SELECT drift FROM airflow_pin.pins();

-- observe sees the same, and changes nothing.
SELECT version_number FROM airflow_pin.pin('d', 2, 'observe');
UPDATE dag_code SET source_code = 'again', source_code_hash = md5('again') WHERE dag_version_id = lab.uuid('d2');
CALL lab.run('d', 'observed');
SELECT state, version FROM lab.runs WHERE run_id = 'observed';
SELECT action, requested, effective FROM lab.decisions WHERE run_id = 'observed';

-- disable_bundle_versioning makes runs without a commit out of a versioned bundle.
CALL lab.version('disabled', 'a', ARRAY[lab.task('t')], '{"disable_bundle_versioning": true}');
SELECT airflow_pin.pin('disabled');
\echo :SQLSTATE
SELECT bundle_version FROM airflow_pin.pin('disabled', 1, 'reject');
INSERT INTO dag_run (dag_id, run_id, run_type, state, created_dag_version_id)
    VALUES ('disabled', 'disabled', 'manual', 'queued', lab.uuid('disabled1'));
SELECT state, version, commit FROM lab.runs WHERE run_id = 'disabled';

-- A pin of a versioned bundle, whose DAG has become unversioned since: never run half a version.
CALL lab.two_versions('was_git');
SELECT version_number FROM airflow_pin.pin('was_git', 1);
UPDATE dag SET bundle_name = 'local', bundle_version = NULL WHERE dag_id = 'was_git';
CALL lab.run('was_git', 'was_git_1', 'manual');
CALL lab.run('was_git', 'was_git_2');
SELECT run_id, state, version, commit FROM lab.runs WHERE dag_id = 'was_git';
SELECT action, requested, effective FROM lab.decisions WHERE run_id LIKE 'was\_git%';
SELECT drift FROM airflow_pin.pins() WHERE dag_id = 'was_git';
