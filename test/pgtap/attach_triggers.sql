-- What attach() puts on Airflow's tables must not stand in a migration's way: no column list, no WHEN
-- clause, no view, no foreign key, and it goes with the extension.
\ir ../fixtures/pgtap.sql

CREATE SCHEMA airflow;
SET LOCAL search_path = airflow, public;
\ir ../fixtures/airflow3.sql
SET LOCAL client_min_messages = warning;
SELECT lives_ok($$SELECT airflow_pin.attach('airflow')$$, 'attach()');

CREATE TEMP VIEW ours AS
    SELECT t.* FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE c.relnamespace = 'airflow'::regnamespace AND NOT tgisinternal;
SELECT isnt_empty('SELECT * FROM ours', 'there are triggers');
SELECT is(tgattr::text, '', format('%s has no column list', tgname)) FROM ours;
SELECT is(tgqual, NULL, format('%s has no WHEN clause', tgname)) FROM ours;
SELECT is(tgconstrrelid, 0::oid, format('%s is no constraint trigger on another table', tgname)) FROM ours;
SELECT is(tgenabled, 'O'::"char", format('%s is enabled', tgname)) FROM ours;
SELECT ok(tgname LIKE 'airflow\_pin\_%', format('%s tells whose it is', tgname)) FROM ours;
SELECT ok(EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = o.oid AND deptype = 'x'
                  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'airflow_pin')),
          format('%s goes with DROP EXTENSION', tgname)) FROM ours o;
-- Nothing of the extension hangs on Airflow's tables or columns otherwise.
SELECT is_empty($$SELECT DISTINCT d.classid::regclass, pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM pg_depend d JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
    WHERE c.relnamespace = 'airflow'::regnamespace AND d.refobjsubid > 0
    AND (d.classid = 'pg_trigger'::regclass AND d.objid IN (SELECT oid FROM ours))$$, 'no trigger depends on a column');
-- So any type can change and any column go.
SELECT lives_ok(format('ALTER TABLE airflow.dag_run ALTER COLUMN %I TYPE text', name), format('ALTER COLUMN %s TYPE', name))
    FROM unnest(ARRAY['conf', 'run_type', 'bundle_version', 'state', 'triggered_by']) name;
SELECT lives_ok(format('ALTER TABLE airflow.dag_run DROP COLUMN %I', name), format('DROP COLUMN %s', name))
    FROM unnest(ARRAY['conf', 'bundle_version', 'creating_job_id', 'created_dag_version_id']) name;

-- The deferred trigger that makes task instances right is the extension's own.
SELECT is(tgdeferrable AND tginitdeferred, true, 'reconcile_run is deferred') FROM pg_trigger
    WHERE tgrelid = 'airflow_pin.run_decision'::regclass AND tgname = 'reconcile_run';
SELECT is(tgenabled, 'A'::"char", 'announce_pins fires always, also for replication') FROM pg_trigger
    WHERE tgrelid = 'airflow_pin.pinned_version'::regclass AND tgname = 'announce_pins';

SELECT lives_ok('DROP EXTENSION airflow_pin', 'DROP EXTENSION without CASCADE while attached');
SELECT is_empty('SELECT * FROM ours', 'no trigger is left');

SELECT * FROM finish();
ROLLBACK;
