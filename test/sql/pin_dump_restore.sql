-- Pins, history and decisions go through pg_dump, and hold in the restored database.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
CALL lab.commit('d', 'c', lab.task('third'));
SELECT version_number FROM airflow_pin.pin('d', 1, reason => 'first');
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject', reason => 'it''s second', run_types => '{manual}');
SELECT version_number FROM airflow_pin.pin('d', 3, 'rewrite', run_types => '{}', valid_from => '2999-01-01', expires_at => '2999-01-02');
SELECT version_number FROM airflow_pin.pin('d', 2, 'rewrite', run_types => '{}', reason => 'third');
CALL lab.run('d', 'before');
DROP VIEW lab.decisions, lab.pins, lab.history;

SELECT current_database() AS source \gset
\set ECHO none
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_airflow_pin_restored;
RESET client_min_messages;
\set ECHO all
CREATE DATABASE regress_airflow_pin_restored TEMPLATE template0;
\set errors `pg_dump -d :'source' | psql -Xq -v ON_ERROR_STOP=1 -d regress_airflow_pin_restored 2>&1 >/dev/null`
\echo :errors
\c regress_airflow_pin_restored
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('trigger enforce_run on dag_run', 'pins', 'in_force');
SELECT * FROM lab.whole;
SELECT version_number, on_mismatch, run_types, reason, valid_from <= now() AS valid FROM airflow_pin.pinned_version ORDER BY valid_from;
SELECT event, from_version, to_version, reason FROM airflow_pin.pin_history ORDER BY id;
SELECT run_id, action, effective_version FROM airflow_pin.run_decision;
-- It goes on where the other one was: rollback() knows the way back, new ids do not collide.
CALL lab.run('d', 'after');
SELECT * FROM lab.whole;
SELECT version_number, on_mismatch FROM airflow_pin.rollback('d');
CALL lab.run('d', 'after_rollback');
SELECT run_id, version FROM lab.runs ORDER BY run_id;
SELECT count(*), count(DISTINCT id) FROM airflow_pin.pin_history;
\c :source
DROP DATABASE regress_airflow_pin_restored;
