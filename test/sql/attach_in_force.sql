-- in_force of status() is yes only if a run that Airflow's role inserts now would be held: everything that can keep it
-- from that, apart from triggers and sequences (attach_detach.sql) and columns (airflow_needed_columns.sql). pin() and resolve() agree.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET client_min_messages = warning;
\o /dev/null
CREATE PROCEDURE lab.look() LANGUAGE plpgsql AS $$
DECLARE
    answer record;
    detail text;
BEGIN
    SELECT s.state, replace(s.detail, current_database(), 'DATABASE') AS detail INTO answer
        FROM airflow_pin.status() s WHERE s.item = 'in_force';
    RAISE NOTICE '%: %', answer.state, answer.detail;
    BEGIN
        PERFORM airflow_pin.pin('d', 1);
        RAISE NOTICE 'pin() pins';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RAISE NOTICE 'pin(): % %', SQLSTATE, SQLERRM;
    END;
    BEGIN
        RAISE NOTICE 'resolve(): %', (SELECT action FROM airflow_pin.resolve('d'));
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'resolve(): % %', SQLSTATE, SQLERRM;
    END;
END $$;
-- ALTER DATABASE with this one's name.
CREATE PROCEDURE lab.database(what text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(what, current_database());
END $$;
CALL lab.two_versions('d');
DROP ROLE IF EXISTS airflow_pin_owner, airflow_pin_writer, airflow_pin_member;
CREATE ROLE airflow_pin_owner LOGIN;
CREATE ROLE airflow_pin_writer LOGIN;
CREATE ROLE airflow_pin_member LOGIN NOINHERIT;
SELECT version_number FROM airflow_pin.pin('d', 1);
SET client_min_messages = notice;
\o
\set ECHO all
CALL lab.look();
GRANT USAGE, CREATE ON SCHEMA public TO airflow_pin_owner;
ALTER SCHEMA public OWNER TO airflow_pin_owner;
CALL lab.give_tables('airflow_pin_owner');
CALL lab.look();

-- Settings of the role, of the role in this database, of the database, of all: in the order in which they overrule.
ALTER ROLE airflow_pin_owner SET airflow_pin.enabled = off;
CALL lab.look();
CALL lab.database('ALTER ROLE airflow_pin_owner IN DATABASE %I SET airflow_pin.enabled = on');
CALL lab.look();
ALTER ROLE airflow_pin_owner SET airflow_pin.enabled = on;
CALL lab.database('ALTER ROLE airflow_pin_owner IN DATABASE %I SET airflow_pin.enabled = ''OFF''');
CALL lab.look();
CALL lab.database('ALTER ROLE airflow_pin_owner IN DATABASE %I RESET airflow_pin.enabled');
ALTER ROLE airflow_pin_owner RESET ALL;
CALL lab.database('ALTER DATABASE %I SET airflow_pin.enabled = 0');
CALL lab.look();
CALL lab.database('ALTER DATABASE %I RESET airflow_pin.enabled');
ALTER ROLE ALL SET airflow_pin.enabled = false;
CALL lab.look();
ALTER ROLE ALL RESET airflow_pin.enabled;
CALL lab.look();

-- Of the server: what this session's own role has instead does not hide it.
ALTER SYSTEM SET airflow_pin.enabled = off;
SET airflow_pin.enabled = on;
CALL lab.look();
ALTER ROLE airflow_pin_owner SET airflow_pin.enabled = on;
SELECT split_part(detail, ',', 1) <> 'Role "airflow_pin_owner"' AS another_role FROM airflow_pin.status() WHERE item = 'in_force';
ALTER ROLE airflow_pin_owner RESET ALL;
ALTER SYSTEM RESET airflow_pin.enabled;
RESET airflow_pin.enabled;

-- Sessions that fire no triggers.
ALTER ROLE airflow_pin_owner SET session_replication_role = replica;
CALL lab.look();
ALTER ROLE airflow_pin_owner SET session_replication_role = local;
CALL lab.look();
-- Where all triggers fire for them, too, runs are held, as they are in such a session.
ALTER ROLE airflow_pin_owner SET session_replication_role = replica;
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT tgrelid::regclass AS tab, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'airflow\_pin\_%'
             UNION ALL SELECT 'airflow_pin.run_decision', 'reconcile_run' LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.tab, t.tgname);
    END LOOP;
END $$;
CALL lab.look();
SET session_replication_role = replica;
CALL lab.look();
CALL lab.run('d', 'always');
RESET session_replication_role;
SELECT * FROM lab.whole;
ALTER TABLE airflow_pin.run_decision ENABLE TRIGGER reconcile_run;
CALL lab.look();
ALTER ROLE airflow_pin_owner RESET ALL;
CALL lab.look();

-- Other roles that may insert runs: by a grant, as a member that does not inherit, and one that may not.
ALTER ROLE airflow_pin_writer SET airflow_pin.enabled = off;
CALL lab.look();
GRANT INSERT ON dag_run TO airflow_pin_writer;
CALL lab.look();
REVOKE INSERT ON dag_run FROM airflow_pin_writer;
GRANT INSERT (dag_id) ON dag_run TO airflow_pin_writer;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
REVOKE INSERT (dag_id) ON dag_run FROM airflow_pin_writer;
GRANT INSERT ON dag_run TO PUBLIC;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
REVOKE INSERT ON dag_run FROM PUBLIC;
GRANT pg_write_all_data TO airflow_pin_writer;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
REVOKE pg_write_all_data FROM airflow_pin_writer;
ALTER ROLE airflow_pin_member SET session_replication_role = 'replica';
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
GRANT airflow_pin_owner TO airflow_pin_member;
CALL lab.look();
ALTER ROLE airflow_pin_member NOLOGIN;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
ALTER ROLE airflow_pin_writer RESET ALL;

-- Owners: one table has another one.
ALTER TABLE dag_code OWNER TO airflow_pin_writer;
CALL lab.look();
ALTER TABLE dag_code OWNER TO airflow_pin_owner;
-- The owner has taken rights away from itself.
REVOKE UPDATE ON task_instance FROM airflow_pin_owner;
CALL lab.look();
GRANT UPDATE ON task_instance TO airflow_pin_owner;
REVOKE USAGE ON SCHEMA public FROM airflow_pin_owner, PUBLIC;
CALL lab.look();
GRANT USAGE ON SCHEMA public TO airflow_pin_owner, PUBLIC;
-- A rule, and a table that is missing.
CREATE RULE nothing AS ON INSERT TO task_instance DO INSTEAD NOTHING;
CALL lab.look();
DROP RULE nothing ON task_instance;
ALTER TABLE dag_code RENAME TO elsewhere;
CALL lab.look();
ALTER TABLE elsewhere RENAME TO dag_code;

-- The extension's own tables.
CREATE RULE nothing AS ON INSERT TO airflow_pin.run_decision DO INSTEAD NOTHING;
CALL lab.look();
DROP RULE nothing ON airflow_pin.run_decision;
ALTER TABLE airflow_pin.run_decision OWNER TO airflow_pin_writer;
SELECT state, detail FROM airflow_pin.status() WHERE item = 'in_force';
ALTER TABLE airflow_pin.run_decision OWNER TO CURRENT_USER;
CALL lab.look();

-- A column of another table than dag_run (case 9), also for attach().
ALTER TABLE task_instance RENAME pool_slots TO x;
CALL lab.look();
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
ALTER TABLE task_instance RENAME x TO pool_slots;
SELECT airflow_pin.attach();

-- An Airflow that is not known, with every column that is needed: a patch release, perhaps. pin() pins, with a warning.
UPDATE alembic_version SET version_num = 'c0ffee000000';
CALL lab.look();
UPDATE alembic_version SET version_num = '55297ae24532';
CALL lab.look();
INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
DELETE FROM alembic_version;
CALL lab.look();
DROP TABLE alembic_version;
SET airflow_pin.airflow_schema = 'public';
CALL lab.look();
\set ECHO none
RESET airflow_pin.airflow_schema;
SET client_min_messages = warning;
DROP OWNED BY airflow_pin_owner, airflow_pin_writer, airflow_pin_member CASCADE;
DROP ROLE airflow_pin_owner, airflow_pin_writer, airflow_pin_member;
