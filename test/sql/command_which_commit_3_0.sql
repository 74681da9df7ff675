-- Version and commit belong together before Airflow 3.3, where a version's row keeps the commit at which it was first seen.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\set airflow_3_0 1
\i :abs_srcdir/fixtures/begin.sql
CREATE VIEW lab.versions AS
    SELECT v.dag_id, v.version_number AS version, v.bundle_version AS commit, s.data #>> '{dag,tasks,0,__var,task_id}' AS task,
           c.source_code
    FROM dag_version v JOIN serialized_dag s ON s.dag_version_id = v.id JOIN dag_code c ON c.dag_version_id = v.id;

-- Within the interval nobody knows whether the commit changes the version; after it the same parse tells.
CALL lab.version('d', 'a', ARRAY[lab.task('t')]);
CALL lab.skipped_parse('d', 'b');
CALL lab.run('d', 'mixed');
SELECT version_number, bundle_version FROM airflow_pin.pin('d');
SELECT airflow_pin.pin('d', bundle_version => 'b');
\echo :SQLSTATE
CALL airflow_pin.await_commit('d', 'b', '0 s');
CALL lab.later('d');
SELECT version_number, bundle_version FROM airflow_pin.pin('d');
UPDATE dag SET last_parsed_time = clock_timestamp() WHERE dag_id = 'd';
CALL airflow_pin.await_commit('d', 'b', '0 s');
SELECT version_number, bundle_version FROM airflow_pin.pin('d', bundle_version => 'b');
SELECT version_number, bundle_version FROM airflow_pin.pin('d', 1);
SELECT version_number, bundle_version, action FROM airflow_pin.resolve('d');
-- How long the interval is, is a setting, as it is one of Airflow's.
SET airflow_pin.min_serialized_dag_update_interval = '5 min';
SELECT version_number, bundle_version FROM airflow_pin.pin('d', 1);
RESET airflow_pin.min_serialized_dag_update_interval;

-- The guard: nothing of half a parse, and a version of the new source when the parse has looked.
CALL lab.version('p', 'a', ARRAY[lab.task('t')]);
SELECT version_number, bundle_version FROM airflow_pin.pin('p');
CALL lab.skipped_parse('p', 'b');
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'p' ORDER BY version;
CALL lab.later('p');
SELECT lab.change_bodies('p', 'b') \g /dev/null
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'p' ORDER BY version;
SELECT version_number, bundle_version FROM airflow_pin.pin('p', bundle_version => 'b');
-- Two in a row are one version, at the first of the commits, and pinned at the second.
SELECT version_number, bundle_version FROM airflow_pin.pin('p', 1);
SELECT lab.change_bodies('p', 'c') \g /dev/null
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'p' ORDER BY version;
SELECT version_number, bundle_version FROM airflow_pin.pin('p');

-- An older version: the commit of its newest run of which the runs themselves show that Airflow has looked.
CREATE PROCEDURE lab.minutes(dag text, VARIADIC commits text[]) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. array_length(commits, 1) LOOP
        PERFORM lab.change_bodies(dag, commits[i]), lab.create_run(dag, dag || i || commits[i]);
        CALL lab.later(dag);
    END LOOP;
END $$;
CALL lab.version('old', 'a', ARRAY[lab.task('t')]);
CALL lab.later('old');
CALL lab.minutes('old', 'a', 'b', 'c');
CALL lab.version('old', 'z', ARRAY[lab.task('t'), lab.task('u')]);
BEGIN;
SELECT version_number, bundle_version FROM airflow_pin.rollback('old');
ROLLBACK;
-- ... not a run of the time when the next version came, ...
UPDATE dag_run SET queued_at = (SELECT max(created_at) - interval '10 s' FROM dag_version WHERE dag_id = 'old') WHERE run_id = 'old3c';
BEGIN;
SELECT version_number, bundle_version FROM airflow_pin.rollback('old');
ROLLBACK;
-- ... nor one at the commit of a later version, ...
UPDATE dag_version SET bundle_version = 'b' WHERE id = lab.uuid('old2');
BEGIN;
SELECT version_number, bundle_version FROM airflow_pin.rollback('old');
ROLLBACK;
-- ... nor where no run had another commit before, after the interval; it can be named then.
CALL lab.version('few', 'a', ARRAY[lab.task('t')]);
CALL lab.later('few');
CALL lab.minutes('few', 'b', 'b');
CALL lab.version('few', 'z', ARRAY[lab.task('t'), lab.task('u')]);
SELECT version_number, bundle_version FROM airflow_pin.rollback('few');
SELECT version_number, bundle_version FROM airflow_pin.pin('few', 1, bundle_version => 'b');
-- Back to a commit that the version had before: seen between two others.
CALL lab.version('back', 'a', ARRAY[lab.task('t')]);
CALL lab.later('back');
CALL lab.minutes('back', 'b', 'c', 'b');
CALL lab.version('back', 'z', ARRAY[lab.task('t'), lab.task('u')]);
SELECT version_number, bundle_version FROM airflow_pin.rollback('back');
-- Runs at the first commit after the interval show nothing: it may have come before.
CALL lab.version('first', 'a', ARRAY[lab.task('t')]);
CALL lab.later('first');
CALL lab.minutes('first', 'b', 'b', 'c');
CALL lab.version('first', 'c', ARRAY[lab.task('t'), lab.task('u')]);
SELECT version_number, bundle_version FROM airflow_pin.rollback('first');
-- Nor does a run within the interval.
CALL lab.version('soon', 'a', ARRAY[lab.task('t')]);
CALL lab.minutes('soon', 'b', 'c');
CALL lab.version('soon', 'z', ARRAY[lab.task('t'), lab.task('u')]);
SELECT version_number, bundle_version FROM airflow_pin.rollback('soon');
