-- A schema that airflow_pin.airflow_schema names, and that has no Airflow: an error, and nothing that looks like an answer.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
CREATE SCHEMA "empty";
CREATE TABLE "empty".alembic_version (version_num text);
CALL lab.two_versions('a');
SELECT version_number FROM airflow_pin.pin('a', 1);
INSERT INTO dag_run (dag_id, run_id, run_type, state, start_date) VALUES ('a', 'r', 'manual', 'running', now());
-- What each function says of the schema, SQLSTATE first.
CREATE FUNCTION lab.say(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text; detail text; hint text;
BEGIN
    EXECUTE sql INTO answer;
    RETURN 'answers ' || answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, detail, hint);
END $$;

SET airflow_pin.airflow_schema = 'Public';
SELECT f, lab.say(format('SELECT count(*) FROM airflow_pin.%s', f)) FROM unnest(ARRAY['in_flight()', 'table_sizes()', 'locks()',
    'migration_status()', 'migration_plan()', 'baseline($$x$$)', 'lost_on_rollback($$2000-01-01$$)', 'export_runs($$2000-01-01$$)',
    'pause_all($$x$$)', 'throttle($$x$$, 1)', 'status_report($$x$$)', 'pins()']) f;
CALL airflow_pin.drain('0');
\echo :SQLSTATE
SELECT check_name, severity, message, hint FROM airflow_pin.preflight();
SELECT airflow_pin.is_ready();
SELECT severity, message FROM airflow_pin.fab_report() UNION ALL SELECT severity, message FROM airflow_pin.bad_rows();
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'in_force');
SET airflow_pin.airflow_schema = 'empty';
CALL airflow_pin.drain('0');
SELECT lab.say('SELECT count(*) FROM airflow_pin.in_flight()');
CREATE TABLE "empty".dag_run (id integer);
DROP TABLE "empty".alembic_version;
SELECT lab.say('SELECT count(*) FROM airflow_pin.migration_plan()');
RESET airflow_pin.airflow_schema;

-- postflight() of a baseline that was taken.
SELECT count(*) > 0 AS taken FROM airflow_pin.baseline('x');
SET airflow_pin.airflow_schema = 'Public';
SELECT lab.say('SELECT count(*) FROM airflow_pin.postflight($$x$$)');
-- Runs are pinned whatever the setting says.
SET client_min_messages = error;
CALL lab.run('a', 'pinned');
SELECT version FROM lab.runs WHERE run_id = 'pinned';
RESET airflow_pin.airflow_schema;
SET client_min_messages = warning;
DROP SCHEMA "empty" CASCADE;
