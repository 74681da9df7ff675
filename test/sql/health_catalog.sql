-- preflight()'s checks of catalogs and settings: a clean and a broken database for each.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
SET TimeZone = 'UTC';
CREATE VIEW findings AS
    SELECT check_name, severity, object, value, threshold, message, fix_sql FROM airflow_pin.preflight()
    WHERE check_name IN ('owners', 'schema_privileges', 'extensions', 'invalid_indexes', 'unvalidated_constraints', 'time_zone',
                         'timeouts', 'read_only', 'event_triggers');

-- Clean.
SELECT check_name, severity, message FROM findings;

-- Broken, and mended with fix_sql.
ALTER TABLE task_instance ADD CONSTRAINT tries CHECK (try_number >= 0) NOT VALID;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'dag_run_pkey'::regclass;
CREATE ROLE airflow_pin_migrator;
ALTER TABLE alembic_version OWNER TO airflow_pin_migrator;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SELECT check_name, severity, object, value, message, fix_sql FROM findings
WHERE severity <> 'ok' AND (check_name <> 'owners' OR object ~ 'dag_run|archive|moved');
SELECT airflow_pin.is_ready();
-- A member of the owner may do what the owner may.
GRANT CREATE, USAGE ON SCHEMA public TO airflow_pin_migrator;
SELECT current_user AS me \gset
GRANT :"me" TO airflow_pin_migrator;
SELECT check_name, severity FROM findings WHERE check_name IN ('owners', 'schema_privileges');
REVOKE :"me" FROM airflow_pin_migrator;
SELECT fix_sql FROM findings WHERE severity <> 'ok' AND check_name <> 'invalid_indexes' AND object <> '_xcom_archive' \gexec
SELECT object FROM findings WHERE check_name = 'owners';
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'dag_run_pkey'::regclass;

-- Settings of the migrating role, or of its database; else those of this session.
ALTER TABLE task_instance RENAME COLUMN id TO uuid;
ALTER TABLE task_instance ALTER trigger_timeout TYPE timestamp;
UPDATE alembic_version SET version_num = '5f2621c13b39';
SELECT check_name, severity FROM findings WHERE check_name IN ('time_zone', 'extensions');
SET TimeZone = 'Europe/Berlin';
SELECT severity, object, value, threshold, message, replace(fix_sql, current_database(), 'this') AS fix_sql FROM findings WHERE check_name = 'time_zone';
ALTER ROLE airflow_pin_migrator SET TimeZone = 'Etc/UTC';
SELECT check_name, severity FROM findings WHERE check_name = 'time_zone';
ALTER ROLE airflow_pin_migrator SET TimeZone = 'Asia/Tokyo';
SET TimeZone = 'UTC';
SELECT severity, object, value FROM findings WHERE check_name = 'time_zone';
SELECT DISTINCT rewrites FROM airflow_pin.migration_plan() WHERE revision = '038dc8bc6284';
ALTER ROLE airflow_pin_migrator RESET TimeZone;
ALTER ROLE airflow_pin_migrator SET statement_timeout = '30s';
ALTER ROLE airflow_pin_migrator SET lock_timeout = '0';
SELECT check_name, severity, object, value, message FROM findings WHERE check_name = 'timeouts';

-- A role that may only read, unless it may write here.
ALTER ROLE airflow_pin_migrator SET default_transaction_read_only = 'yes';
SELECT severity, object, value, threshold, message, replace(fix_sql, current_database(), 'this') AS fix_sql FROM findings WHERE check_name = 'read_only';
SELECT fix_sql FROM findings WHERE check_name = 'read_only' \gset
:fix_sql
SELECT severity FROM findings WHERE check_name = 'read_only';

-- Event triggers; those that are disabled, or an extension's, do not count.
CREATE FUNCTION public.look() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER look_at_ends ON ddl_command_end EXECUTE FUNCTION look();
CREATE EVENT TRIGGER look_at_drops ON sql_drop EXECUTE FUNCTION look();
CREATE EVENT TRIGGER look_at_starts ON ddl_command_start EXECUTE FUNCTION look();
ALTER EVENT TRIGGER look_at_ends ENABLE ALWAYS;
ALTER EVENT TRIGGER look_at_starts DISABLE;
SELECT severity, object, value, message, fix_sql FROM findings WHERE check_name = 'event_triggers';
ALTER EXTENSION airflow_pin ADD EVENT TRIGGER look_at_drops;
SELECT fix_sql FROM findings WHERE check_name = 'event_triggers' \gexec
SELECT severity FROM findings WHERE check_name = 'event_triggers';
ALTER EXTENSION airflow_pin DROP EVENT TRIGGER look_at_drops;
DROP FUNCTION look CASCADE;

-- pgcrypto where step 0042 does not find it. (The catalog is written to: it need not be installed.)
CREATE SCHEMA tools;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    SELECT 4294967000, 'pgcrypto', 10, oid, true, '1.3' FROM pg_namespace WHERE nspname = 'tools';
SELECT severity, object, value, threshold, message, fix_sql FROM findings WHERE check_name = 'extensions';
ALTER ROLE airflow_pin_migrator SET search_path = "$user", public, tools;
SELECT severity FROM findings WHERE check_name = 'extensions';
ALTER ROLE airflow_pin_migrator RESET search_path;
ALTER SCHEMA tools RENAME TO airflow_pin_migrator;
SELECT severity FROM findings WHERE check_name = 'extensions';
ALTER TABLE task_instance RENAME COLUMN uuid TO id;
ALTER SCHEMA airflow_pin_migrator RENAME TO tools;
SELECT severity FROM findings WHERE check_name = 'extensions';
DELETE FROM pg_extension WHERE extname = 'pgcrypto';
DROP SCHEMA tools;

\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION airflow_pin CASCADE;
DROP SCHEMA lab CASCADE;
DROP OWNED BY airflow_pin_migrator CASCADE;
DROP ROLE airflow_pin_migrator;
