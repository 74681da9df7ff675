-- A commit that changes function bodies only makes no new version: the pin holds the commit too. (Here past the
-- version guard, which makes one of it; see version_guard.)
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
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

-- Without a commit given, an older version is pinned at the commit that its last run had, ...
SELECT bundle_version FROM airflow_pin.pin('d', 1);
-- ... or, never run, at its own.
CALL lab.two_versions('fresh');
SELECT bundle_version FROM airflow_pin.pin('fresh', 1);
