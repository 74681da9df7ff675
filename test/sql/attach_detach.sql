-- attach(), detach() and status().
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- The tables come attached here; again it changes nothing.
SELECT * FROM airflow_pin.status();
SELECT airflow_pin.attach();
SELECT airflow_pin.attach('public', '1 minute');
SELECT tgname, tgenabled, tgattr = '' AS no_columns, tgqual IS NULL AS no_when, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE tgrelid = 'dag_run'::regclass AND NOT tgisinternal
    ORDER BY tgname;
SELECT tgrelid::regclass, tgname, tgenabled, tgattr = '' AS no_columns, tgqual IS NULL AS no_when FROM pg_trigger
    WHERE NOT tgisinternal AND tgrelid IN ('task_instance'::regclass, 'dag'::regclass);

-- Detached: the pins stay, and are not in force.
CALL lab.two_versions('d');
SELECT version_number FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'attached');
SELECT airflow_pin.detach();
SELECT airflow_pin.detach();
CALL lab.run('d', 'detached');
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('trigger enforce_run on dag_run', 'pins', 'in_force');
SELECT pinned_version FROM airflow_pin.pins();
SELECT version_number, action, reason FROM airflow_pin.resolve('d');
SELECT airflow_pin.attach();
CALL lab.run('d', 'attached_again');
SELECT run_id, version FROM lab.runs ORDER BY run_id;

-- Disabled by hand: status() says so, pin() refuses, attach() enables it.
ALTER TABLE dag_run DISABLE TRIGGER USER;
CALL lab.run('d', 'disabled');
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('trigger enforce_run on dag_run', 'in_force');
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SELECT action FROM airflow_pin.resolve('d');
SELECT airflow_pin.attach();
CALL lab.run('d', 'enabled');
ALTER TABLE dag_run ENABLE REPLICA TRIGGER airflow_pin_enforce;
SELECT item, state FROM airflow_pin.status() WHERE item IN ('trigger enforce_run on dag_run', 'in_force');
CALL lab.run('d', 'replica');
SELECT airflow_pin.attach();
ALTER TABLE dag_run ENABLE ALWAYS TRIGGER airflow_pin_enforce;
SELECT item, state FROM airflow_pin.status() WHERE item IN ('trigger enforce_run on dag_run', 'in_force');
SELECT airflow_pin.attach();
CALL lab.run('d', 'always');
SELECT run_id, version FROM lab.runs WHERE run_id IN ('disabled', 'enabled', 'replica', 'always') ORDER BY run_id;
SELECT tgenabled FROM pg_trigger WHERE tgname = 'airflow_pin_enforce';

-- Changed by hand, so that some rows pass it: with a condition, a column list, at another time, or twice.
CREATE PROCEDURE lab.replace(trigger text, on_table text, instead text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %I', trigger, on_table);
    EXECUTE instead;
END $$;
CREATE VIEW lab.changed AS SELECT item, state FROM airflow_pin.status() WHERE item LIKE 'trigger %' AND state <> 'present' OR item = 'in_force';
CALL lab.replace('airflow_pin_enforce', 'dag_run', $$CREATE TRIGGER airflow_pin_enforce BEFORE INSERT ON dag_run
    FOR EACH ROW WHEN (NEW.run_type <> 'manual') EXECUTE FUNCTION airflow_pin.enforce_run()$$);
SELECT * FROM lab.changed;
SELECT airflow_pin.attach();
SELECT * FROM lab.changed;
CALL lab.replace('airflow_pin_enforce', 'dag_run', $$CREATE TRIGGER airflow_pin_enforce BEFORE INSERT OR UPDATE OF state ON dag_run
    FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run()$$);
SELECT * FROM lab.changed;
SELECT airflow_pin.attach();
CALL lab.replace('airflow_pin_enforce', 'dag_run', $$CREATE TRIGGER airflow_pin_enforce BEFORE INSERT ON dag_run
    FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run()$$);
SELECT * FROM lab.changed;
SELECT airflow_pin.attach();
CALL lab.replace('airflow_pin_enforce', 'dag_run', $$CREATE TRIGGER airflow_pin_enforce AFTER INSERT OR UPDATE ON dag_run
    FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run()$$);
SELECT * FROM lab.changed;
SELECT airflow_pin.attach();
CREATE TRIGGER zz_again BEFORE INSERT OR UPDATE ON dag_run FOR EACH ROW EXECUTE FUNCTION airflow_pin.enforce_run();
ALTER TABLE dag_run DISABLE TRIGGER zz_again;
SELECT * FROM lab.changed;
DROP TRIGGER zz_again ON dag_run;
DROP VIEW lab.changed;
DROP TRIGGER airflow_pin_adopt ON task_instance;
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();

-- Not in a session that fires no triggers.
SET session_replication_role = replica;
SELECT item, state, detail FROM airflow_pin.status() WHERE item = 'in_force';
RESET session_replication_role;

-- The extension's own triggers and sequences, which a restore or a switchover can leave behind: attach() mends them.
ALTER TABLE airflow_pin.run_decision DISABLE TRIGGER ALL;
ALTER TABLE airflow_pin.pinned_version ENABLE TRIGGER ALL;
SELECT state, detail FROM airflow_pin.status() WHERE item = 'in_force';
SELECT airflow_pin.attach();
SELECT tgname, tgenabled FROM pg_trigger WHERE tgname IN ('reconcile_run', 'announce_pins', 'announce_truncate') ORDER BY 1;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
SELECT setval('airflow_pin.pin_history_id_seq', 1, false);
SELECT state, detail FROM airflow_pin.status() WHERE item = 'in_force';
SELECT setval('airflow_pin.run_decision_id_seq', (SELECT max(id) - 1 FROM airflow_pin.run_decision));
SELECT state, detail FROM airflow_pin.status() WHERE item = 'in_force';
SELECT airflow_pin.attach();
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
SELECT last_value = (SELECT max(id) FROM airflow_pin.run_decision) AND is_called FROM airflow_pin.run_decision_id_seq;
SELECT last_value = (SELECT max(id) FROM airflow_pin.pin_history) AND is_called FROM airflow_pin.pin_history_id_seq;

-- Renamed and disabled by hand.
ALTER TRIGGER airflow_pin_enforce ON dag_run RENAME TO "another Name";
ALTER TABLE dag_run DISABLE TRIGGER "another Name";
SELECT airflow_pin.attach();
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'dag_run'::regclass AND NOT tgisinternal
    ORDER BY tgname;
SELECT airflow_pin.detach();
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'dag_run'::regclass AND NOT tgisinternal;
SELECT airflow_pin.attach();

-- Rolled back.
BEGIN;
SELECT airflow_pin.detach();
CALL lab.run('d', 'in_between');
SELECT version FROM lab.runs WHERE run_id = 'in_between';
ROLLBACK;
CALL lab.run('d', 'after_rollback');
SELECT version FROM lab.runs WHERE run_id = 'after_rollback';

-- Airflow's migrations find nothing in their way.
BEGIN;
DROP VIEW lab.whole, lab.runs, lab.tasks;
ALTER TABLE dag_run ALTER COLUMN conf TYPE json, ALTER COLUMN run_type TYPE text, ALTER COLUMN bundle_version TYPE text,
    DROP COLUMN creating_job_id, ALTER COLUMN created_dag_version_id TYPE uuid USING created_dag_version_id;
ALTER TABLE dag_run RENAME COLUMN triggered_by TO started_by;
ALTER TABLE task_instance ALTER COLUMN executor_config TYPE bytea, ALTER COLUMN queue TYPE text;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'migrated', 'manual', 'queued', 'b', lab.uuid('d2'));
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'report', 'd', 'migrated', 0, 'default_pool', 1, lab.uuid('d2'));
SET CONSTRAINTS ALL IMMEDIATE;
SELECT created_dag_version_id = lab.uuid('d1') AS pinned, bundle_version FROM dag_run WHERE run_id = 'migrated';
SELECT task_id FROM task_instance WHERE run_id = 'migrated' ORDER BY task_id;
ALTER TABLE dag_run DROP COLUMN bundle_version;
ALTER TABLE dag_run RENAME TO _airflow_moved__dag_run;
DROP TABLE task_instance;
DROP TABLE _airflow_moved__dag_run;
ROLLBACK;

-- Bad arguments.
SELECT airflow_pin.attach('nowhere');
\echo :SQLSTATE
SELECT airflow_pin.attach('lab');
\echo :SQLSTATE
SELECT airflow_pin.attach(lock_timeout => '0');
\echo :SQLSTATE
SELECT airflow_pin.attach(lock_timeout => '-1 s');
SELECT airflow_pin.attach(lock_timeout => '1 year');
SELECT airflow_pin.attach(NULL, NULL);
-- The caller's own lock_timeout is as it was.
SET lock_timeout = '7s';
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
SHOW lock_timeout;
RESET lock_timeout;

-- status() of a session where pins are off, and with pins of every kind.
SET airflow_pin.enabled = off;
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('enabled', 'in_force');
