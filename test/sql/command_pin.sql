-- pin(), unpin(), rollback() and pin_history.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.version('d', 'a', ARRAY[lab.task('t')]);
CALL lab.version('d', 'b', ARRAY[lab.task('t'), lab.task('u')]);
CALL lab.version('d', 'c', ARRAY[lab.task('t'), lab.task('v')]);

-- A pin without a version holds the latest; all that was given is in its row.
SELECT version_number, dag_version_id = lab.uuid('d3') AS id, bundle_name, bundle_version,
       dag_hash = (SELECT dag_hash FROM serialized_dag s WHERE s.dag_version_id = p.dag_version_id) AS dag_hash,
       source_code_hash = md5('c') AS source, on_mismatch, run_types, reruns, allow_override, expires_at, reason,
       pinned_by = session_user AS by, pinned_at BETWEEN now() AND clock_timestamp() AS at,
       valid_from BETWEEN now() AND clock_timestamp() AS from
    FROM airflow_pin.pin('d') p;
SELECT version_number, bundle_version, on_mismatch, run_types, reruns, allow_override, expires_at, reason
    FROM airflow_pin.pin('d', 2, 'reject', reason => 'release 7', expires_at => '2999-01-01 00:00+00',
                         run_types => '{manual,scheduled}', allow_override => true, reruns => 'airflow');
-- The pin was moved: the DAG has one.
SELECT * FROM lab.pins;
SELECT * FROM lab.history;

-- Again the same: nothing changes, and history does not grow.
SELECT version_number, reason FROM airflow_pin.pin('d', 2, 'reject', reason => 'release 7',
    expires_at => '2999-01-01 00:00+00', run_types => '{manual,scheduled}', allow_override => true, reruns => 'airflow');
SELECT count(*) FROM airflow_pin.pin_history;

-- The same version with other settings is a move, but no step on rollback()'s way back.
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 2, 'rewrite', run_types => '{}', allow_override => false);
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 1, reason => 'back to 1');
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 1, 'observe');
SELECT * FROM lab.history;
SELECT version_number, bundle_version, on_mismatch, reason FROM airflow_pin.rollback('d', 'too early');
-- Called again it goes further back, ...
SELECT version_number, on_mismatch, reason FROM airflow_pin.rollback('d');
-- ... beyond the first pin to the version before it, with its settings, ...
SELECT version_number, on_mismatch FROM airflow_pin.rollback('d');
SELECT version_number, on_mismatch FROM airflow_pin.rollback('d');
-- ... and to nothing.
SELECT airflow_pin.rollback('d');
\echo :SQLSTATE
SELECT * FROM lab.pins;
SELECT * FROM lab.history;

-- A new pin after a rollback: back from it leads to where the rollback had led.
SELECT version_number FROM airflow_pin.pin('d', 3);
SELECT version_number FROM airflow_pin.rollback('d');

-- unpin() gives back the pin that was in force, and rollback() brings it again.
SELECT version_number FROM airflow_pin.pin('d', 3, 'reject', reason => 'three');
SELECT version_number, on_mismatch, reason FROM airflow_pin.unpin('d', 'all clear');
SELECT * FROM lab.pins;
SELECT airflow_pin.unpin('d') IS NULL AS nothing;
SELECT event, v1, v2, reason FROM lab.history ORDER BY n DESC LIMIT 2;
SELECT version_number, on_mismatch, expires_at FROM airflow_pin.rollback('d');
SELECT version_number, on_mismatch FROM airflow_pin.rollback('d');

-- Settings go back with the version: commit, run types, override, but not the expiry.
CALL lab.two_versions('s');
SELECT lab.change_bodies('s', 'b2') \g /dev/null
SELECT version_number FROM airflow_pin.pin('s', 2, 'reject', run_types => '{manual}', allow_override => true,
    reruns => 'airflow', expires_at => '2999-01-01 00:00+00', reason => 'with all settings');
SELECT version_number FROM airflow_pin.pin('s', 1);
SELECT lab.change_bodies('s', 'b3') \g /dev/null
SELECT version_number, bundle_version, on_mismatch, run_types, allow_override, reruns, expires_at, reason,
       source_code_hash = md5('b2') AS source
    FROM airflow_pin.rollback('s');

-- Without any pin rollback() holds the version before the latest.
CALL lab.two_versions('never');
SELECT version_number, bundle_version, on_mismatch FROM airflow_pin.rollback('never');
CALL lab.version('only_one', 'a', ARRAY[lab.task('t')]);
SELECT airflow_pin.rollback('only_one');
\echo :SQLSTATE

-- The version that was pinned before has been deleted.
CALL lab.two_versions('gone');
SELECT version_number FROM airflow_pin.pin('gone', 1);
SELECT version_number FROM airflow_pin.pin('gone', 2);
CALL lab.unguarded($$DELETE FROM dag_version WHERE dag_id = 'gone' AND version_number = 1$$);
SELECT airflow_pin.rollback('gone');
\echo :SQLSTATE
SELECT version_number FROM lab.pins AS p (dag_id, version_number) WHERE dag_id = 'gone';

-- In bulk.
SELECT dag_id, (airflow_pin.pin(dag_id, reason => 'freeze')).version_number FROM dag WHERE dag_id IN ('d', 's') ORDER BY 1;

-- History is append-only, for everybody.
UPDATE airflow_pin.pin_history SET reason = 'rewritten';
\echo :SQLSTATE
DELETE FROM airflow_pin.pin_history;
TRUNCATE airflow_pin.pin_history;
