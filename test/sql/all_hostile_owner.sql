-- What the owner of Airflow's tables puts on them runs with the owner's rights, and leaves nothing behind in the
-- session of the superuser who pins, pauses or looks.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
CALL lab.two_versions('d');
CREATE TABLE dag_tag (name varchar(100), dag_id varchar(250));
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_hostile;
CREATE ROLE regress_hostile;
CREATE SCHEMA hostile AUTHORIZATION regress_hostile;
GRANT ALL ON SCHEMA public TO regress_hostile;
GRANT USAGE ON SCHEMA lab TO regress_hostile;
CALL lab.give_tables('regress_hostile');
-- What a role that is after the rights of others tries, one after the other.
CREATE FUNCTION hostile.tries(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE seen text := format('as %s', current_user);
BEGIN
    BEGIN EXECUTE what; RETURN seen || ', done';
    EXCEPTION WHEN OTHERS THEN RETURN format('%s, %s', seen, SQLSTATE); END;
END $$;
CREATE FUNCTION hostile.attack() RETURNS text LANGUAGE plpgsql AS $$
DECLARE what text;
BEGIN
    IF current_user <> 'regress_hostile' THEN
        RAISE WARNING 'the owner''s code runs as %', current_user;
        RETURN '';
    END IF;
    FOREACH what IN ARRAY ARRAY[
        'SELECT set_config(''search_path'', ''hostile, public'', false)',
        'SET session_replication_role = replica', 'SET airflow_pin.enabled = off',
        'SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres',
        'INSERT INTO airflow_pin.pinned_version DEFAULT VALUES', 'SELECT airflow_pin.unpin(''d'')',
        'ALTER ROLE regress_hostile SUPERUSER',
        'CREATE TEMP TABLE dag_version ()', 'CREATE TEMP VIEW pinned_version AS SELECT',
        'PREPARE hostile AS SELECT', 'LISTEN hostile', 'INSERT INTO hostile.later VALUES (1)'] LOOP
        what := format('%s -> %s', what, hostile.tries(what));
        IF current_setting('hostile.quiet', true) IS DISTINCT FROM 'on' THEN RAISE NOTICE '%', what; END IF;
    END LOOP;
    RETURN '';
END $$;
-- Would run at commit, with the rights of whoever commits.
CREATE TABLE hostile.later (n integer);
CREATE FUNCTION hostile.later() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE WARNING ''deferred, as %'', current_user; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON hostile.later DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hostile.later();
CREATE SEQUENCE hostile.calls;
CREATE FUNCTION hostile.while_planning(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM nextval(''hostile.calls''); PERFORM hostile.attack(); RETURN true; END';
ALTER SEQUENCE hostile.calls OWNER TO regress_hostile;
CREATE FUNCTION hostile.on_write() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM hostile.attack(); RETURN new; END';
ALTER TABLE hostile.later OWNER TO regress_hostile;
RESET client_min_messages;
\set ECHO all

-- Trigger functions of the owner: what pause_all() lets them do. The other ways in do the same and say less.
SET ROLE regress_hostile;
CREATE TRIGGER hostile BEFORE UPDATE ON dag FOR EACH ROW EXECUTE FUNCTION hostile.on_write();
RESET ROLE;
SELECT * FROM airflow_pin.pause_all('l');
SHOW search_path;
SET hostile.quiet = on;
SELECT * FROM airflow_pin.resume('l');
SELECT airflow_pin.throttle('l', 2);
SELECT airflow_pin.unthrottle('l');
SHOW search_path;
DROP TRIGGER hostile ON dag;

-- Code that runs while a query is planned: an index predicate of constants.
SET ROLE regress_hostile;
CREATE INDEX hostile ON dag_version (dag_id) WHERE hostile.while_planning(1);
CREATE INDEX hostile_dag ON dag (dag_id) WHERE hostile.while_planning(2);
CREATE INDEX hostile_run ON dag_run (dag_id) WHERE hostile.while_planning(3);
CREATE INDEX hostile_content ON serialized_dag (dag_id) WHERE hostile.while_planning(4);
CREATE INDEX hostile_task ON task_instance (dag_id) WHERE hostile.while_planning(5);
CREATE INDEX hostile_revision ON alembic_version (version_num) WHERE hostile.while_planning(6);
RESET ROLE;
SELECT setval('hostile.calls', 1);
\c -
SET hostile.quiet = on;
SELECT version_number FROM airflow_pin.pin('d', 1);
SHOW search_path;
SELECT last_value > 1 AS it_ran FROM hostile.calls;
\c -
SET hostile.quiet = on;
SELECT version_number, action FROM airflow_pin.resolve('d');
SELECT count(*) FROM airflow_pin.diff('d', 1, 2);
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT version_number FROM airflow_pin.rollback('d');
SELECT version_number FROM airflow_pin.pin('d', 1);
SHOW search_path;
\c -
SET hostile.quiet = on;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
SELECT count(*) > 0 AS some FROM airflow_pin.preflight();
SELECT count(*) > 0 AS some FROM airflow_pin.baseline('l');
SELECT count(*) > 0 AS some FROM airflow_pin.postflight('l');
SELECT count(*) > 0 AS some FROM airflow_pin.in_flight();
SELECT count(*) > 0 AS some FROM airflow_pin.lost_on_rollback('2000-01-01');
SELECT count(*) > 0 AS some FROM airflow_pin.bad_rows();
SELECT verdict FROM airflow_pin.migration_status();
SHOW search_path;

-- The extension's own writes at commit, and those of the version guard. Who inserts runs or parses DAGs runs the owner's
-- triggers anyway, but no setting of theirs comes from what the extension does.
DROP INDEX hostile, hostile_dag, hostile_run, hostile_content, hostile_task, hostile_revision;
CREATE FUNCTION hostile.set_path() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% of % as %', TG_OP, TG_TABLE_NAME, current_user;
    PERFORM set_config('search_path', 'hostile, public', false);
    RETURN new;
END $$;
SET hostile.quiet = on;
CALL lab.commit('more', 'a', lab.task('extract'), lab.task('load'));
CALL lab.commit('more', 'b', lab.task('extract'));
SELECT version_number FROM airflow_pin.pin('more', 1);
BEGIN;
CALL lab.run('more', 'r');
CREATE TRIGGER set_path BEFORE INSERT OR UPDATE ON task_instance FOR EACH ROW EXECUTE FUNCTION hostile.set_path();
COMMIT;
SHOW search_path;
SELECT task_id, version FROM lab.tasks ORDER BY task_id;
SELECT version_number FROM airflow_pin.pin('d', 2);
CREATE TRIGGER set_path BEFORE INSERT ON dag_version FOR EACH ROW EXECUTE FUNCTION hostile.set_path();
UPDATE serialized_dag SET dag_hash = 'new' WHERE dag_version_id = lab.uuid('d2');
SHOW search_path;
SELECT count(*) FROM dag_version;
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA public, hostile CASCADE;
CREATE SCHEMA public;
DROP OWNED BY regress_hostile CASCADE;
DROP ROLE regress_hostile;
