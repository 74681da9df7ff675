-- What a role without rights on the extension does in its own session takes no pin out of force: settings, look-alikes, its
-- rights on Airflow's tables. search_path has a test of its own; test/security has what needs sessions of several roles.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_airflow, regress_reader, regress_creator, regress_releaser, regress_owner;
CREATE ROLE regress_airflow;    -- the metadata role: reads and writes Airflow's tables
CREATE ROLE regress_reader;     -- may read them
CREATE ROLE regress_creator;    -- may create schemas, and tables in them
CREATE ROLE regress_releaser;   -- may pin
GRANT USAGE ON SCHEMA public, lab TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO regress_airflow;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO regress_airflow;
GRANT SELECT ON lab.runs, lab.tasks, lab.whole TO regress_airflow;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO regress_reader;
GRANT USAGE ON SCHEMA airflow_pin TO regress_releaser;
GRANT EXECUTE ON FUNCTION airflow_pin.pin, airflow_pin.unpin, airflow_pin.rollback, airflow_pin.resolve,
    airflow_pin.diff, airflow_pin.pins TO regress_releaser;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_creator', current_database()); END $$;
RESET client_min_messages;
\set ECHO all
CALL lab.two_versions('d');
CALL lab.two_versions('e');

-- Every setting that a role may make and that changes what SQL means, how it is planned, or how values are written.
SET ROLE regress_releaser;
\set ECHO none
SELECT format('SET %s = %s;', name, value) FROM (VALUES
    ('transform_null_equals', 'on'), ('standard_conforming_strings', 'off'), ('backslash_quote', 'on'),
    ('escape_string_warning', 'off'), ('quote_all_identifiers', 'on'), ('array_nulls', 'off'), ('row_security', 'off'),
    ('DateStyle', '''German, DMY'''), ('IntervalStyle', 'sql_standard'), ('TimeZone', '''Pacific/Apia'''),
    ('bytea_output', 'escape'), ('extra_float_digits', '-15'), ('constraint_exclusion', 'on'),
    ('plan_cache_mode', 'force_generic_plan'), ('enable_indexscan', 'off'), ('enable_bitmapscan', 'off'),
    ('jit_above_cost', '0'), ('work_mem', '64'), ('min_parallel_table_scan_size', '0'), ('parallel_setup_cost', '0'),
    ('default_transaction_isolation', '''repeatable read'''), ('default_transaction_deferrable', 'on'),
    ('default_toast_compression', 'pglz'), ('xmloption', 'document'), ('lock_timeout', '''10s''')) s (name, value)
    -- PostgreSQL 19 has no strings of the old kind any more.
    WHERE EXISTS (SELECT FROM pg_settings p WHERE p.name = s.name)
      AND NOT (name = 'standard_conforming_strings' AND current_setting('server_version_num')::int >= 190000)
\gexec
\set ECHO all
SELECT version_number FROM airflow_pin.pin('d', 1, reason => E'it''s a \\reason', expires_at => '2999-12-31 00:00+00');
SELECT version_number, action FROM airflow_pin.resolve('d');
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT kind, item FROM airflow_pin.diff('d', 1, 2);
SET ROLE regress_airflow;
RESET standard_conforming_strings; -- what plays Airflow here needs it
CALL lab.run('d', 'settings');
RESET ALL;
RESET ROLE;
SELECT dag_id, version, commit, expires, reason FROM lab.pins;
SELECT * FROM lab.whole;
-- Read only, or too late: nothing happens at all.
SET ROLE regress_airflow;
SET default_transaction_read_only = on;
CALL lab.run('d', 'read_only');
\echo :SQLSTATE
RESET default_transaction_read_only;
RESET ROLE;
SELECT count(*) FROM lab.runs WHERE run_id = 'read_only';

-- Look-alikes of Airflow's tables, in a schema that sorts first: the attached schema is Airflow's.
SET ROLE regress_creator;
CREATE SCHEMA a;
CREATE TABLE a.alembic_version (version_num text);
CREATE TABLE a.dag_run (dag_id text, run_id text, run_type text, state text, created_dag_version_id uuid, bundle_version text);
CREATE TABLE a.dag_version (id uuid, dag_id text, version_number integer);
CREATE TRIGGER enforce BEFORE INSERT ON a.dag_run FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run();
\echo :SQLSTATE
CREATE TRIGGER enforce BEFORE INSERT ON public.dag_run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
\echo :SQLSTATE
CREATE TABLE a.child () INHERITS (public.dag_run);
\echo :SQLSTATE
SET ROLE regress_releaser;
SELECT version_number FROM airflow_pin.pin('e', 1);
RESET ROLE;
SELECT item, state FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'in_force');
-- While nothing is attached, nobody guesses which schema is meant.
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
\echo :SQLSTATE
SELECT airflow_pin.attach('a');
\echo :SQLSTATE
SELECT airflow_pin.attach('public');

-- EXECUTE on everything, as a careless GRANT has it, does not let a role name runs of others to be set or failed.
GRANT EXECUTE ON FUNCTION airflow_pin.reconcile_run, airflow_pin.enforce_run TO regress_creator;
GRANT USAGE ON SCHEMA airflow_pin TO regress_creator;
SET ROLE regress_creator;
CREATE TABLE a.run_decision (id integer, dag_run_id bigint, dag_id text, run_id text, airflow_schema text,
    requested_bundle_version text, effective_dag_hash text, requested_dag_version_id uuid, effective_dag_version_id uuid);
CREATE TRIGGER reconcile_run AFTER INSERT ON a.run_decision FOR EACH ROW EXECUTE FUNCTION airflow_pin.reconcile_run();
INSERT INTO a.run_decision VALUES (1, NULL, 'd', 'settings', 'public', NULL, NULL, NULL, lab.uuid('d1'));
\echo :SQLSTATE

-- Who may only read can do nothing about pins.
SET ROLE regress_reader;
SELECT lab.create_run('d', 'reader');
\echo :SQLSTATE
SELECT airflow_pin.unpin('d');
\echo :SQLSTATE
SELECT * FROM airflow_pin.pinned_version;
\echo :SQLSTATE
BEGIN;
LOCK TABLE public.dag_run IN SHARE MODE;
\echo :SQLSTATE
ROLLBACK;

-- The metadata role can write Airflow's rows, as Airflow can: a run that is there may be moved, unless reruns are held, too.
SET ROLE regress_airflow;
BEGIN;
CALL lab.run('d', 'moved');
UPDATE dag_run SET created_dag_version_id = lab.uuid('d2'), bundle_version = 'b' WHERE run_id = 'moved';
COMMIT;
RESET ROLE;
SELECT version, commit FROM lab.runs WHERE run_id = 'moved';
SELECT action, detail FROM lab.decisions WHERE run_id = 'moved';
SELECT version_number FROM airflow_pin.pin('d', 1, reruns => 'pinned');
SET ROLE regress_airflow;
CALL lab.run('d', 'held');
UPDATE dag_run SET created_dag_version_id = lab.uuid('d2'), bundle_version = 'b' WHERE run_id = 'held';
CALL lab.run('d', 'ended', state => 'success');
UPDATE dag_run SET state = 'queued' WHERE run_id = 'ended';
\echo :SQLSTATE
-- It cannot do without the trigger, nor reach the records.
ALTER TABLE dag_run DISABLE TRIGGER USER;
\echo :SQLSTATE
DROP TRIGGER airflow_pin_enforce ON dag_run;
\echo :SQLSTATE
SET CONSTRAINTS airflow_pin.reconcile_run IMMEDIATE;
\echo :SQLSTATE
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'upserted', 'scheduled', 'queued', 'b', lab.uuid('d2'))
    ON CONFLICT (dag_id, run_id) DO UPDATE SET state = 'queued';
WITH new AS (SELECT 'd' AS dag_id, 'merged' AS run_id)
MERGE INTO dag_run r USING new ON r.dag_id = new.dag_id AND r.run_id = new.run_id
    WHEN NOT MATCHED THEN INSERT (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
        VALUES ('d', 'merged', 'scheduled', 'queued', 'b', lab.uuid('d2'));
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT gen_random_uuid(), 'report', 'd', r, 0, 'default_pool', 1, lab.uuid('d2') FROM unnest('{upserted, merged}'::text[]) r;
COMMIT;
RESET ROLE;
SELECT * FROM lab.whole WHERE run_id IN ('held', 'ended', 'upserted', 'merged');

-- The tables' owner can take the triggers off, as it can drop the tables. It shows, and no pin is made that would not hold.
CREATE ROLE regress_owner;
GRANT CREATE, USAGE ON SCHEMA public TO regress_owner;
CALL lab.give_tables('regress_owner');
SET ROLE regress_owner;
ALTER TABLE dag_run DISABLE TRIGGER airflow_pin_enforce;
DROP TRIGGER airflow_pin_keep ON dag_version;
RESET ROLE;
SELECT item, state FROM airflow_pin.status() WHERE state IN ('disabled', 'missing', 'no') ORDER BY item;
SELECT airflow_pin.pin('d', 2);
\echo :SQLSTATE
-- attach() is the owner's with EXECUTE on it and on the triggers' functions.
GRANT USAGE ON SCHEMA airflow_pin TO regress_owner;
GRANT EXECUTE ON FUNCTION airflow_pin.attach TO regress_owner;
SET ROLE regress_owner;
SELECT airflow_pin.attach();
\echo :SQLSTATE
RESET ROLE;
GRANT EXECUTE ON FUNCTION airflow_pin.enforce_run, airflow_pin.protect_version,
    airflow_pin.keep_version, airflow_pin.end_clean, airflow_pin.hold_schedule TO regress_owner;
SET ROLE regress_owner;
SELECT airflow_pin.attach();
RESET ROLE;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA public, lab, a CASCADE;
CREATE SCHEMA public;
DROP OWNED BY regress_airflow, regress_reader, regress_creator, regress_releaser, regress_owner;
DROP ROLE regress_airflow, regress_reader, regress_creator, regress_releaser, regress_owner;
