-- Bad input: each kind with a SQLSTATE, a detail and a hint of its own.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
-- no such DAG
SELECT airflow_pin.pin('nope');
\echo :SQLSTATE
SELECT airflow_pin.rollback('nope');
\echo :SQLSTATE
SELECT airflow_pin.unpin('nope');
\echo :SQLSTATE
SELECT airflow_pin.resolve('nope');
\echo :SQLSTATE
SELECT airflow_pin.diff('nope', 1, 2);
\echo :SQLSTATE
SELECT airflow_pin.pin('');
-- a DAG that has not been parsed yet
INSERT INTO dag VALUES ('unparsed', false, 'git', 'a');
SELECT airflow_pin.pin('unparsed');
\echo :SQLSTATE
-- no such version: which exist
SELECT airflow_pin.pin('d', 3);
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 0);
SELECT airflow_pin.pin('d', -1);
SELECT airflow_pin.diff('d', 1, 3);
\echo :SQLSTATE
CREATE TABLE numbers AS SELECT i FROM generate_series(1, 30) i;
DO $$ BEGIN PERFORM lab.add_version('many', 'c' || i, ARRAY[lab.task('t')]) FROM numbers; END $$;
SELECT airflow_pin.pin('many', 31);
-- unknown on_mismatch, run type, reruns
SELECT airflow_pin.pin('d', on_mismatch => 'Rewrite');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', run_types => '{manual,hourly}');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', run_types => '{manual,NULL}');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', reruns => 'latest');
\echo :SQLSTATE
SELECT airflow_pin.resolve('d', 'hourly');
\echo :SQLSTATE
-- times; the detail of the first tells the clock
\set VERBOSITY terse
SELECT airflow_pin.pin('d', expires_at => now() - interval '1 second');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', expires_at => '-infinity');
\set VERBOSITY default
SELECT airflow_pin.pin('d', valid_from => '2999-01-02', expires_at => '2999-01-01');
\echo :SQLSTATE
-- an end that never comes is no end, and a beginning before time is now
SELECT expires_at, valid_from BETWEEN now() AND clock_timestamp() AS from_now
    FROM airflow_pin.pin('d', expires_at => 'infinity', valid_from => '-infinity');
SELECT version_number FROM airflow_pin.unpin('d');
-- NULL where a value is needed.
SELECT airflow_pin.pin(NULL);
\echo :SQLSTATE
SELECT airflow_pin.unpin(NULL);
SELECT airflow_pin.rollback(NULL);
SELECT airflow_pin.resolve(NULL);
SELECT airflow_pin.resolve('d', NULL);
SELECT allow_override FROM airflow_pin.pin('d', NULL, 'rewrite', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT version_number FROM airflow_pin.unpin('d');
-- nothing was stored by what failed
SELECT * FROM lab.pins;
-- a version from another bundle than the DAG is in now
CALL lab.two_versions('moved');
UPDATE dag SET bundle_name = 'other' WHERE dag_id = 'moved';
SELECT airflow_pin.pin('moved', 1);
\echo :SQLSTATE
-- a serializer version that is not known, and a serialized DAG that is gone or broken
CALL lab.two_versions('future');
UPDATE serialized_dag SET data = jsonb_set(data, '{__version}', '99') WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
\echo :SQLSTATE
UPDATE serialized_dag SET data = data - '__version' WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
UPDATE serialized_dag SET data = '{"__version": 3}' WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [{"__type": "operator"}]}}' WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
UPDATE serialized_dag SET data = jsonb_build_object('__version', 3, 'dag', jsonb_build_object('tasks',
    jsonb_build_array(lab.task('twice'), lab.task('twice')))) WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
UPDATE serialized_dag SET data = NULL WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('future1');
SELECT airflow_pin.pin('future', 1);
\echo :SQLSTATE
-- such a version can be a gate
SELECT version_number FROM airflow_pin.pin('future', 1, 'reject');
-- prune_decisions
SELECT airflow_pin.prune_decisions('-1 second');
\echo :SQLSTATE
SELECT airflow_pin.prune_decisions(NULL) IS NULL AS nothing;
-- not attached: a pin that is not in force is refused
SELECT airflow_pin.detach();
SELECT airflow_pin.pin('d');
\echo :SQLSTATE
SELECT airflow_pin.rollback('d');
\echo :SQLSTATE
SELECT action FROM airflow_pin.resolve('d');
-- the triggers' functions are nobody's to call
SELECT airflow_pin.enforce_run();
\echo :SQLSTATE
CREATE TABLE t AS SELECT 1 AS a;
CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run();
INSERT INTO t VALUES (1);
\echo :SQLSTATE
CREATE OR REPLACE TRIGGER t BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION airflow_pin.enforce_run();
INSERT INTO t VALUES (1);
CREATE OR REPLACE TRIGGER t BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run();
DELETE FROM t;
DROP TRIGGER t ON t;
CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION airflow_pin.reconcile_run();
INSERT INTO t VALUES (1);
\echo :SQLSTATE
CREATE OR REPLACE TRIGGER t AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION airflow_pin.reconcile_run();
INSERT INTO t VALUES (1);
CREATE OR REPLACE TRIGGER t AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION airflow_pin.reconcile_run();
UPDATE t SET a = 2;
SELECT airflow_pin.reconcile_run();
CREATE OR REPLACE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION airflow_pin.refuse_change();
INSERT INTO t VALUES (1);
\echo :SQLSTATE
CREATE OR REPLACE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run();
INSERT INTO t VALUES (1);
