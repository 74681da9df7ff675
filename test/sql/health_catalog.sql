-- preflight()'s checks of catalogs and settings: a clean and a broken database for each.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
SET TimeZone = 'UTC';
CREATE VIEW findings AS
    SELECT check_name, severity, object, value, threshold, message, fix_sql FROM airflow_pin.preflight()
    WHERE check_name IN ('dependent_views', 'foreign_triggers', 'publications', 'invalid_indexes',
                         'unvalidated_constraints', 'time_zone', 'timeouts');

-- Clean, but for the views of this test's own fixture.
SELECT check_name, severity, message FROM findings WHERE check_name <> 'dependent_views';
SELECT count(*) > 0 AS found, bool_and(severity = 'warning') AS warning FROM findings WHERE object LIKE 'lab.%';
SET client_min_messages = error;
DROP SCHEMA lab CASCADE;
SELECT * FROM findings WHERE check_name = 'dependent_views';

-- Broken, and mended with fix_sql.
CREATE VIEW "Who ran" AS SELECT dag_id, run_id FROM dag_run;
CREATE MATERIALIZED VIEW per_dag AS SELECT dag_id, count(*) FROM task_instance GROUP BY dag_id;
CREATE TRIGGER watch_state AFTER UPDATE OF state ON dag_run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER watch_some AFTER INSERT ON dag_run FOR EACH ROW WHEN (NEW.state = 'queued')
    EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER watch_all BEFORE UPDATE ON dag_code FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE PUBLICATION some_runs FOR TABLE dag_run (id, dag_id) WHERE (id > 0);
CREATE PUBLICATION all_runs FOR TABLE dag_run;
ALTER TABLE task_instance ADD CONSTRAINT tries CHECK (try_number >= 0) NOT VALID;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'dag_run_pkey'::regclass;
SELECT * FROM findings;
SELECT fix_sql FROM findings WHERE severity <> 'ok' AND check_name <> 'invalid_indexes' \gexec
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'dag_run_pkey'::regclass;
SELECT check_name FROM findings WHERE severity <> 'ok';

SET TimeZone = 'Europe/Berlin';
SELECT check_name, severity, value, threshold, message FROM findings WHERE check_name = 'time_zone';
SET TimeZone = 'UTC';
CREATE ROLE airflow_pin_hurried;
ALTER ROLE airflow_pin_hurried SET statement_timeout = '30s';
ALTER ROLE airflow_pin_hurried SET lock_timeout = '0';
SELECT check_name, severity, object, value, message FROM findings WHERE check_name = 'timeouts';
DROP ROLE airflow_pin_hurried;
