-- preflight()'s checks of catalogs and settings: a clean and a broken database for each.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
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
-- A member of the owner may do what the owner may, unless it does not inherit.
GRANT CREATE, USAGE ON SCHEMA public TO airflow_pin_migrator;
SELECT current_user AS me \gset
ALTER ROLE airflow_pin_migrator NOINHERIT;
GRANT :"me" TO airflow_pin_migrator;
SELECT severity, object FROM findings WHERE check_name = 'owners' AND object = 'dag_run';
REVOKE :"me" FROM airflow_pin_migrator;
ALTER ROLE airflow_pin_migrator INHERIT;
GRANT :"me" TO airflow_pin_migrator;
SELECT check_name, severity FROM findings WHERE check_name IN ('owners', 'schema_privileges');
REVOKE :"me" FROM airflow_pin_migrator;
SELECT fix_sql FROM findings WHERE severity <> 'ok' AND check_name <> 'invalid_indexes' AND object <> '_xcom_archive' \gexec
SELECT object FROM findings WHERE check_name = 'owners';
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'dag_run_pkey'::regclass;

-- What a REINDEX CONCURRENTLY has left is dropped, also of a TOAST table; an index that lacks partitions is not built
-- again. (Indexes that are being built: test/server-checks.)
CREATE INDEX log_extra_ccnew ON log (extra);
CREATE INDEX log_extra_ccold12 ON log (extra);
CREATE INDEX log_success ON log (extra);
CREATE TABLE xcom (key text) PARTITION BY LIST (key);
CREATE TABLE xcom_1 PARTITION OF xcom FOR VALUES IN ('a');
CREATE INDEX xcom_key ON ONLY xcom (key);
SELECT oid AS log, reltoastrelid AS log_toast FROM pg_class WHERE oid = 'log'::regclass \gset
UPDATE pg_index SET indisvalid = false
    WHERE indrelid = :log_toast OR indexrelid IN ('log_extra_ccnew'::regclass, 'log_extra_ccold12'::regclass, 'log_success'::regclass);
SELECT severity, replace(object, :'log', 'OID') AS object, value, replace(message, :'log', 'OID') AS message,
       replace(fix_sql, :'log', 'OID') AS fix_sql
FROM findings WHERE check_name = 'invalid_indexes' ORDER BY 2;
UPDATE pg_index SET indisvalid = true WHERE indrelid = :log_toast;
DROP TABLE xcom;
SELECT fix_sql FROM findings WHERE check_name = 'invalid_indexes' ORDER BY 1 \gexec
DROP INDEX log_success;

-- A foreign key of a partitioned table is dropped from that, not from its partitions.
CREATE TABLE lab.note (run int CONSTRAINT of_run REFERENCES dag_run (id)) PARTITION BY LIST (run);
CREATE TABLE lab.note_1 PARTITION OF lab.note DEFAULT;
SELECT object, fix_sql FROM airflow_pin.preflight() WHERE check_name = 'foreign_keys';
DROP TABLE lab.note;

-- What PostgreSQL 18 does not enforce need not be valid.
SELECT current_setting('server_version_num')::int >= 180000 AS may_be_unenforced \gset
\if :may_be_unenforced
ALTER TABLE task_instance ADD CONSTRAINT unenforced CHECK (try_number > 0) NOT ENFORCED;
\endif
SELECT severity, message FROM findings WHERE check_name = 'unvalidated_constraints';

-- Settings of the migrating role, or of its database; else those of this session.
ALTER TABLE task_instance RENAME COLUMN id TO uuid;
ALTER TABLE task_instance ALTER trigger_timeout TYPE timestamp;
UPDATE alembic_version SET version_num = '5f2621c13b39';
ALTER ROLE airflow_pin_migrator SET TimeZone = 'Europe/Berlin';
SELECT severity, object, value, threshold, message, replace(fix_sql, current_database(), 'this') AS fix_sql FROM findings WHERE check_name = 'time_zone';
SELECT DISTINCT rewrites FROM airflow_pin.migration_plan() WHERE revision = '038dc8bc6284';
ALTER ROLE airflow_pin_migrator SET TimeZone = 'Etc/UTC';
SELECT check_name, severity FROM findings WHERE check_name = 'time_zone';
ALTER ROLE airflow_pin_migrator RESET TimeZone;
-- What the caller sets for itself does not reach the migrating role's sessions.
SELECT reset_val AS began_with FROM pg_settings WHERE name = 'TimeZone' \gset
SELECT severity, value = :'began_with' AS began_with FROM findings WHERE check_name = 'time_zone';
SET TimeZone = 'UTC';
SELECT severity, value = :'began_with' AS began_with FROM findings WHERE check_name = 'time_zone';

-- Timeouts: what is set for the role in the database goes before what is set for the role, that before what is set for
-- the database, that before what is set for all roles.
CREATE VIEW timeouts AS SELECT severity, replace(object, current_database(), 'this') AS object, value, threshold,
        replace(message, current_database(), 'this') AS message, replace(fix_sql, current_database(), 'this') AS fix_sql
    FROM findings WHERE check_name = 'timeouts';
CREATE ROLE airflow_pin_analyst;
ALTER ROLE airflow_pin_analyst SET statement_timeout = '1s';
SELECT severity, message FROM timeouts;
ALTER ROLE ALL SET lock_timeout = '1min';
SELECT * FROM timeouts;
SELECT current_database() AS this \gset
ALTER DATABASE :"this" SET lock_timeout = '2min';
SELECT object, value FROM timeouts;
ALTER ROLE airflow_pin_migrator SET lock_timeout = '3min';
SELECT object, value FROM timeouts;
ALTER ROLE airflow_pin_migrator IN DATABASE :"this" SET lock_timeout = '4min';
SELECT object, value FROM timeouts;
ALTER ROLE airflow_pin_migrator IN DATABASE :"this" SET lock_timeout = '0min';
SELECT severity FROM timeouts;
ALTER ROLE ALL RESET lock_timeout;
ALTER DATABASE :"this" RESET lock_timeout;
DROP ROLE airflow_pin_analyst;

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
