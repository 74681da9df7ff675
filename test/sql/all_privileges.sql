-- Who may do what: Airflow's own role is held by pins that it cannot see, and nobody gains a right.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_airflow, regress_releaser, regress_monitor, regress_nobody, regress_owner;
RESET client_min_messages;
\set ECHO all
CREATE ROLE regress_airflow;   -- the metadata role: DML on Airflow's tables, nothing else
CREATE ROLE regress_releaser;  -- may pin
CREATE ROLE regress_monitor;   -- looks
CREATE ROLE regress_nobody;
GRANT pg_monitor TO regress_monitor;
GRANT USAGE ON SCHEMA airflow_pin TO regress_releaser;
GRANT EXECUTE ON FUNCTION airflow_pin.pin, airflow_pin.unpin, airflow_pin.rollback, airflow_pin.diff TO regress_releaser;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO regress_airflow;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO regress_airflow;
GRANT USAGE ON SCHEMA lab TO regress_airflow, regress_releaser, regress_monitor, regress_nobody;
GRANT SELECT ON lab.runs, lab.tasks TO regress_airflow;
CALL lab.two_versions('d');

-- Pinning is a matter of EXECUTE; it needs no right on Airflow's tables or the extension's.
SET ROLE regress_nobody;
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SELECT * FROM airflow_pin.pinned_version;
SELECT airflow_pin.enforce_run();
SET ROLE regress_monitor;
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SET ROLE regress_releaser;
SELECT version_number, pinned_by = session_user AS by_session_user FROM airflow_pin.pin('d', 1);
SELECT kind, item FROM airflow_pin.diff('d', 1, 2);
SELECT * FROM airflow_pin.pinned_version;
\echo :SQLSTATE
INSERT INTO airflow_pin.pinned_version DEFAULT VALUES;
SELECT * FROM public.dag_version;
SELECT airflow_pin.status();
\echo :SQLSTATE
SELECT airflow_pin.attach();
SELECT airflow_pin.prune_decisions();

-- The metadata role can neither read nor write the extension's tables, and its runs are held.
SET ROLE regress_airflow;
SELECT * FROM airflow_pin.pinned_version;
SELECT airflow_pin.resolve('d');
\echo :SQLSTATE
CALL lab.run('d', 'by_airflow');
CALL lab.run('d', 'by_airflow_manual', 'manual');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, task_id, version FROM lab.tasks ORDER BY run_id, task_id;
SELECT * FROM airflow_pin.run_decision;
-- It may not take the pins off, nor the trigger.
ALTER TABLE public.dag_run DISABLE TRIGGER airflow_pin_enforce;
\echo :SQLSTATE
SET session_replication_role = replica;
\echo :SQLSTATE
SET airflow_pin.enabled = off;
\echo :SQLSTATE
SET airflow_pin.unpinned_dags = allow;
\echo :SQLSTATE
SET airflow_pin.airflow_schema = 'lab';
SET airflow_pin.log_decisions = off;
ALTER ROLE regress_airflow SET airflow_pin.enabled = off;
\echo :SQLSTATE
CALL lab.run('d', 'still_held');
SELECT run_id, version FROM lab.runs WHERE run_id = 'still_held';

-- Fewer rights than Airflow needs do not help either: only INSERT on dag_run.
RESET ROLE;
GRANT INSERT ON dag_run TO regress_nobody;
GRANT USAGE ON SEQUENCE dag_run_id_seq TO regress_nobody;
SELECT lab.uuid('d2') AS d2 \gset
SET ROLE regress_nobody;
BEGIN;
INSERT INTO public.dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'by_nobody', 'scheduled', 'queued', 'b', :'d2');
RESET ROLE;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'report', 'd', 'by_nobody', 0, 'default_pool', 1, :'d2');
SET ROLE regress_nobody;
COMMIT;
RESET ROLE;
SELECT state, version FROM lab.runs WHERE run_id = 'by_nobody';
SELECT task_id, version FROM lab.tasks WHERE run_id = 'by_nobody' ORDER BY task_id;

-- Row-level security on Airflow's tables, owned by another role, and forced on it: as for foreign keys, it does not apply.
CREATE ROLE regress_owner;
GRANT USAGE, CREATE ON SCHEMA public TO regress_owner;
CALL lab.give_tables('regress_owner');
DO $$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
BEGIN;
CALL lab.run('d', 'owned');
SET ROLE regress_airflow;
COMMIT;
SELECT count(*) FROM dag_run;
RESET ROLE;
SELECT state, version FROM lab.runs WHERE run_id = 'owned';
SELECT task_id, version FROM lab.tasks WHERE run_id = 'owned' ORDER BY task_id;
-- A trigger that the owner put on a table runs with the owner's rights, not with those of the extension's owner.
CREATE FUNCTION lab.spy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'trigger on % runs as % with search_path %', TG_TABLE_NAME, current_user, current_setting('search_path');
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION lab.spy TO regress_owner;
CREATE TRIGGER spy AFTER INSERT ON task_instance FOR EACH STATEMENT EXECUTE FUNCTION lab.spy();
CALL lab.commit('more', 'a', lab.task('extract'), lab.task('load'));
CALL lab.commit('more', 'b', lab.task('extract'));
SELECT version_number FROM airflow_pin.pin('more', 1);
CALL lab.run('more', 'spied');
DROP TRIGGER spy ON task_instance;
SELECT version_number FROM airflow_pin.unpin('more');

-- attach() is for the table's owner.
RESET ROLE;
GRANT USAGE ON SCHEMA airflow_pin TO regress_owner;
GRANT EXECUTE ON FUNCTION airflow_pin.attach, airflow_pin.detach TO regress_nobody, regress_owner;
GRANT USAGE ON SCHEMA airflow_pin TO regress_nobody;
SET ROLE regress_nobody;
SELECT airflow_pin.detach();
\echo :SQLSTATE
RESET ROLE;
SELECT item, state FROM airflow_pin.status() WHERE item = 'trigger enforce_run on dag_run';

-- Monitoring: status(), pins(), resolve() and the tables, to read only.
SET ROLE regress_monitor;
SELECT item, state FROM airflow_pin.status() WHERE item IN ('airflow_revision', 'pins', 'in_force');
SELECT dag_id, pinned_version, latest_version, drift FROM airflow_pin.pins();
SELECT version_number, action FROM airflow_pin.resolve('d');
SELECT count(*) FROM airflow_pin.pinned_version;
SELECT count(*) > 0 AS some FROM airflow_pin.pin_history;
SELECT count(*) > 0 AS some FROM airflow_pin.run_decision;
DELETE FROM airflow_pin.run_decision;
\echo :SQLSTATE
UPDATE airflow_pin.pinned_version SET version_number = 2;
SELECT airflow_pin.prune_decisions();
SELECT airflow_pin.unpin('d');
SELECT airflow_pin.attach();
SELECT count(*) FROM public.dag_version;
\echo :SQLSTATE

-- A setting announced before the library is loaded is no way around either.
RESET ROLE;
ALTER TABLE dag_version DISABLE ROW LEVEL SECURITY;
ALTER TABLE dag DISABLE ROW LEVEL SECURITY;
ALTER TABLE serialized_dag DISABLE ROW LEVEL SECURITY;
ALTER TABLE dag_run DISABLE ROW LEVEL SECURITY;
ALTER TABLE task_instance DISABLE ROW LEVEL SECURITY;
\c -
SET SESSION AUTHORIZATION regress_airflow;
SET airflow_pin.enabled = off;
SELECT lab.create_run('d', 'placeholder') \g /dev/null
SELECT run_id, version FROM lab.runs WHERE run_id = 'placeholder';
SHOW airflow_pin.enabled;
RESET SESSION AUTHORIZATION;

-- Creating the extension is for superusers.
DROP VIEW lab.decisions, lab.pins, lab.history;
DROP EXTENSION airflow_pin;
SET ROLE regress_owner;
CREATE EXTENSION airflow_pin;
\echo :SQLSTATE
RESET ROLE;
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA airflow_pin, lab, public CASCADE;
CREATE SCHEMA public;
DROP OWNED BY regress_airflow, regress_releaser, regress_monitor, regress_nobody, regress_owner;
DROP ROLE regress_airflow, regress_releaser, regress_monitor, regress_nobody, regress_owner;
