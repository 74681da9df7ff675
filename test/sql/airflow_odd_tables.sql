-- Tables that are not quite Airflow's: another type, a column that is gone, a trigger of somebody else's.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number FROM airflow_pin.pin('d', 1, allow_override => true);

-- The task instances cannot be computed, and the run cannot be moved back to what was asked for: it is failed as it is.
CREATE FUNCTION lab.refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_dag_version_id IS DISTINCT FROM OLD.created_dag_version_id THEN
        RAISE 'no run changes its version';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_move BEFORE UPDATE ON dag_run FOR EACH ROW EXECUTE FUNCTION lab.refuse_move();
CALL lab.unguarded($$UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = lab.uuid('d1')$$);
CALL lab.run('d', 'stopped');
SELECT run_id, state, version, commit FROM lab.runs;
SELECT action, detail FROM lab.decisions;
-- Not even that: the transaction fails rather than let it run.
CREATE OR REPLACE FUNCTION lab.refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no run changes'; END $$;
CALL lab.run('d', 'raised');
SELECT run_id FROM lab.runs;
DROP TRIGGER refuse_move ON dag_run;
CALL lab.unguarded($$UPDATE serialized_dag s SET data = jsonb_set(s.data, '{dag,tasks}', o.data #> '{dag,tasks}') FROM serialized_dag o
    WHERE s.dag_version_id = lab.uuid('d1') AND o.dag_version_id = lab.uuid('d2')$$);

-- A conf that is no JSON asks for no version; without the log nothing else changes.
SET airflow_pin.log_decisions = off;
BEGIN;
ALTER TABLE dag_run ALTER conf TYPE text;
INSERT INTO dag_run (dag_id, run_id, run_type, state, conf, bundle_version, created_dag_version_id)
    VALUES ('d', 'text', 'manual', 'queued', '{"airflow_pin_version": 2}', 'b', lab.uuid('d2'));
SELECT state, version FROM lab.runs WHERE run_id = 'text';
ROLLBACK;
RESET airflow_pin.log_decisions;

-- A value of another type is never taken for what it was.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP VIEW lab.runs, lab.tasks CASCADE;
ALTER TABLE dag_version ALTER version_number TYPE bigint;
SELECT airflow_pin.pin('d', 2);
ROLLBACK;
BEGIN;
ALTER TABLE serialized_dag ALTER data TYPE text;
SELECT airflow_pin.diff('d', 1, 2);
ROLLBACK;
BEGIN;
ALTER TABLE dag_version ALTER version_number DROP NOT NULL;
CALL lab.unguarded('UPDATE dag_version SET version_number = NULL');
SELECT airflow_pin.pin('d');
ROLLBACK;
-- JSON null beside compressed data is what Airflow may write there.
BEGIN;
CALL lab.unguarded($$UPDATE serialized_dag SET data = 'null' WHERE dag_version_id = lab.uuid('d1')$$);
SELECT airflow_pin.diff('d', 1, 2);
ROLLBACK;

-- A task that is none is no difference; a version without content differs in nothing that can be read.
BEGIN;
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks}', '["t"]') WHERE dag_version_id = lab.uuid('d1')$$);
SELECT kind, item FROM airflow_pin.diff('d', 1, 2) ORDER BY item;
CALL lab.unguarded($$DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('d1')$$);
SELECT drift FROM airflow_pin.pins();
ROLLBACK;
-- The extension's version: a number beyond all bounds is still one that is newer.
BEGIN;
UPDATE pg_extension SET extversion = v FROM (VALUES ('99999999999999999999.1')) x (v) WHERE extname = 'airflow_pin';
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('extension', 'library');
ROLLBACK;

-- The pin's own row: a column is empty that cannot be, or has a value that it cannot have. Runs are refused, and the column
-- and the DAG are told. unpin() does not read the pin.
BEGIN;
ALTER TABLE airflow_pin.pinned_version ALTER reruns DROP NOT NULL;
UPDATE airflow_pin.pinned_version SET reruns = NULL;
CALL lab.run('d', 'no_reruns');
SELECT state, version, detail FROM lab.runs JOIN airflow_pin.run_decision USING (dag_id, run_id) WHERE run_id = 'no_reruns';
SAVEPOINT refused;
SELECT airflow_pin.resolve('d');
\echo :SQLSTATE
ROLLBACK TO refused;
SELECT version_number FROM airflow_pin.unpin('d');
ROLLBACK;
BEGIN;
ALTER TABLE airflow_pin.pinned_version DROP CONSTRAINT pinned_version_on_mismatch_check;
UPDATE airflow_pin.pinned_version SET on_mismatch = 'allow';
SELECT airflow_pin.resolve('d');
ROLLBACK;

-- The latest version is pinned and changes in place: what cannot be diverted to a new version is let through, with a line
-- in the server's log, and runs are refused then. Here because it has deadline alerts, ...
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 2);
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,deadline}', '[1]') WHERE dag_version_id = lab.uuid('d2')$$);
UPDATE serialized_dag SET dag_hash = 'changed' WHERE dag_version_id = lab.uuid('d2');
SELECT dag_hash, count(*) OVER () AS versions FROM serialized_dag ORDER BY dag_hash DESC LIMIT 1;
ROLLBACK;
-- ... even if the new content has none, ...
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 2);
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,deadline}', '[1]') WHERE dag_version_id = lab.uuid('d2')$$);
UPDATE serialized_dag SET dag_hash = 'changed', data = data #- '{dag,deadline}' WHERE dag_version_id = lab.uuid('d2');
SELECT dag_hash, count(*) OVER () AS versions FROM serialized_dag ORDER BY dag_hash DESC LIMIT 1;
ROLLBACK;
-- ... or is not what was pinned any more.
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 2);
CALL lab.unguarded($$UPDATE serialized_dag SET dag_hash = 'other' WHERE dag_version_id = lab.uuid('d2')$$);
UPDATE serialized_dag SET dag_hash = 'changed' WHERE dag_version_id = lab.uuid('d2');
SELECT dag_hash, count(*) OVER () AS versions FROM serialized_dag ORDER BY dag_hash DESC LIMIT 1;
ROLLBACK;
-- NULL is a value like others.
-- What is altered in the same transaction would be a migration's.
ALTER TABLE dag_code ALTER source_code DROP NOT NULL;
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 2);
UPDATE dag_version SET bundle_version = 'c' WHERE id = lab.uuid('d2');
UPDATE dag_code SET source_code = NULL, source_code_hash = 'none' WHERE dag_version_id = lab.uuid('d2');
SELECT version_number, source_code FROM dag_code JOIN dag_version v ON v.id = dag_version_id ORDER BY 1;
ROLLBACK;
ALTER TABLE dag_code ALTER source_code SET NOT NULL;
-- A row that says of no DAG, or no version, is nobody's.
BEGIN;
ALTER TABLE serialized_dag ALTER dag_id DROP NOT NULL, ALTER dag_version_id DROP NOT NULL;
CALL lab.unguarded($$UPDATE serialized_dag SET dag_id = NULL WHERE dag_version_id = lab.uuid('d1')$$);
CALL lab.unguarded($$UPDATE serialized_dag SET dag_version_id = NULL WHERE dag_version_id = lab.uuid('d2')$$);
DELETE FROM serialized_dag;
SELECT count(*) FROM serialized_dag;
ROLLBACK;
-- A migration of this session's own is let through, too.
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT pg_advisory_lock(1) \g /dev/null
UPDATE serialized_dag SET dag_hash = 'migrated' WHERE dag_version_id = lab.uuid('d2');
SELECT count(*) FROM dag_version;
SELECT pg_advisory_unlock(1) \g /dev/null
ROLLBACK;

-- One of the extension's own triggers is switched off.
ALTER TABLE airflow_pin.pinned_version DISABLE TRIGGER announce_pins;
SELECT airflow_pin.pin('d', 2);
SELECT item, state FROM airflow_pin.status() WHERE item = 'in_force';
ALTER TABLE airflow_pin.pinned_version ENABLE ALWAYS TRIGGER announce_pins;

-- dag_run lacks a column: what can still be refused is refused.
ALTER TABLE dag_run RENAME bundle_version TO bundle;
INSERT INTO dag_run (dag_id, run_id, run_type, state, created_dag_version_id, creating_job_id)
    VALUES ('d', 'scheduled', 'scheduled', 'queued', lab.uuid('d2'), 1);
INSERT INTO dag_run (dag_id, run_id, run_type, state, created_dag_version_id)
    VALUES ('d', 'manual', 'manual', 'queued', lab.uuid('d2'));
\echo :SQLSTATE
SELECT run_id, state FROM dag_run WHERE run_id IN ('scheduled', 'manual');
UPDATE dag_run SET state = 'queued' WHERE run_id = 'scheduled';
SELECT airflow_pin.pin('d', 2);
\echo :SQLSTATE
SELECT airflow_pin.attach();
\echo :SQLSTATE
ALTER TABLE dag_run RENAME bundle TO bundle_version;

BEGIN;
SET LOCAL client_min_messages = warning;
DROP VIEW lab.runs, lab.tasks CASCADE;
ALTER TABLE dag_run ALTER bundle_version TYPE bytea USING NULL;
SELECT airflow_pin.pin('d', 2);
\echo :SQLSTATE
ROLLBACK;

-- dag_run is a view of it.
ALTER TABLE dag_run RENAME TO real_dag_run;
CREATE VIEW dag_run AS SELECT * FROM real_dag_run;
SELECT airflow_pin.pin('d', 2);
\echo :SQLSTATE
SELECT count(*) FROM airflow_pin.lost_on_rollback(now());
DROP VIEW dag_run;
ALTER TABLE real_dag_run RENAME TO dag_run;

-- The extension's trigger functions elsewhere.
SELECT airflow_pin.announce_pins();
SELECT airflow_pin.pin('no_such_dag');
CREATE TABLE lab.elsewhere AS SELECT 'd' AS dag_id;
-- A table of another name is none of a version's.
CREATE TRIGGER protect BEFORE UPDATE ON lab.elsewhere FOR EACH ROW EXECUTE FUNCTION airflow_pin.protect_version();
UPDATE lab.elsewhere SET dag_id = 'f' RETURNING dag_id;
DROP TABLE lab.elsewhere;

-- A run that COPY into another table brings is Airflow's, or its client's, and held.
CREATE TABLE lab.feed (run_id text);
CREATE FUNCTION lab.feed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CALL lab.run('d', NEW.run_id, 'manual'); RETURN NEW; END $$;
CREATE TRIGGER feed BEFORE INSERT ON lab.feed FOR EACH ROW EXECUTE FUNCTION lab.feed();
COPY lab.feed FROM stdin;
fed
\.
SELECT run_id, version FROM lab.runs WHERE run_id = 'fed';

-- dag_run without one of its columns: what can be refused is, and the rest is let through.
CREATE PROCEDURE lab.run_without(renamed text, columns text, query text) LANGUAGE plpgsql AS $$
DECLARE
    seen text;
BEGIN
    EXECUTE format('ALTER TABLE dag_run RENAME %I TO was_renamed', renamed);
    EXECUTE format('INSERT INTO dag_run (dag_id, run_id, creating_job_id, bundle_version, created_dag_version_id%s', columns);
    EXECUTE query INTO seen;
    RAISE NOTICE '%', seen;
    EXECUTE format('ALTER TABLE dag_run RENAME was_renamed TO %I', renamed);
    DELETE FROM dag_run WHERE run_id = 'r';
END $$;
CALL lab.run_without('start_date', $$, run_type, state) VALUES ('d', 'r', 1, 'b', lab.uuid('d2'), 'scheduled', 'queued')$$,
    $$SELECT format('%s, ended: %s, started: %s', state, end_date IS NOT NULL, was_renamed IS NOT NULL) FROM dag_run WHERE run_id = 'r'$$);
CALL lab.run_without('end_date', $$, run_type, state) VALUES ('d', 'r', 1, 'b', lab.uuid('d2'), 'scheduled', 'queued')$$,
    $$SELECT format('%s, ended: %s, started: %s', state, was_renamed IS NOT NULL, start_date IS NOT NULL) FROM dag_run WHERE run_id = 'r'$$);
CALL lab.run_without('state', $$, run_type, was_renamed) VALUES ('d', 'r', 1, 'b', lab.uuid('d2'), 'scheduled', 'queued')$$,
    $$SELECT was_renamed FROM dag_run WHERE run_id = 'r'$$);
CALL lab.run_without('run_type', $$, state, was_renamed) VALUES ('d', 'r', NULL, 'b', lab.uuid('d2'), 'queued', 'manual')$$,
    $$SELECT state FROM dag_run WHERE run_id = 'r'$$);
CALL lab.run_without('id', $$, run_type, state) VALUES ('d', 'r', 1, 'b', lab.uuid('d2'), 'scheduled', 'queued')$$,
    $$SELECT format('%s: %s', state, created_dag_version_id = lab.uuid('d1')) FROM dag_run WHERE run_id = 'r'$$);
BEGIN;
ALTER TABLE dag_run RENAME created_dag_version_id TO renamed;
SELECT airflow_pin.pin('d', 2);
ROLLBACK;

-- A trigger of the extension's own is gone, and alembic_version is a view.
BEGIN;
DROP TRIGGER reconcile_run ON airflow_pin.run_decision;
SELECT item, state FROM airflow_pin.status() WHERE item = 'in_force';
ROLLBACK;
BEGIN;
ALTER TABLE alembic_version RENAME TO versions;
CREATE VIEW alembic_version AS SELECT * FROM versions;
SELECT * FROM airflow_pin.status() WHERE item = 'airflow_revision';
ROLLBACK;

-- A DAG, or a version, of no bundle.
BEGIN;
UPDATE dag_version SET bundle_name = NULL WHERE id = lab.uuid('d2');
SELECT airflow_pin.pin('d', 2);
ROLLBACK;
BEGIN;
ALTER TABLE dag ALTER bundle_name DROP NOT NULL;
UPDATE dag SET bundle_name = NULL;
CALL lab.run('d', 'no_bundle');
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'no_bundle';
SELECT detail FROM lab.decisions WHERE run_id = 'no_bundle';
SELECT airflow_pin.pin('d', 1);
ROLLBACK;

-- A version whose content is gone can be a gate, and its row changes as Airflow wants.
BEGIN;
CALL lab.unguarded($$DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('d2')$$);
SELECT dag_hash IS NULL AS no_hash FROM airflow_pin.pin('d', 2, 'reject');
CALL lab.run('d', 'gate');
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'gate';
UPDATE dag_version SET bundle_version = 'z' WHERE id = lab.uuid('d2');
SELECT version_number, bundle_version FROM dag_version ORDER BY 1;
ROLLBACK;
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject');
CALL lab.unguarded($$DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('d2')$$);
CALL lab.run('d', 'gate');
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'gate';
UPDATE dag_version SET bundle_version = 'z' WHERE id = lab.uuid('d2');
SELECT version_number, bundle_version FROM dag_version ORDER BY 1;
ROLLBACK;
-- Where the pin cannot be read the change is let through.
BEGIN;
ALTER TABLE airflow_pin.pinned_version ALTER reruns DROP NOT NULL;
UPDATE airflow_pin.pinned_version SET reruns = NULL;
UPDATE dag_version SET bundle_version = 'z' WHERE id = lab.uuid('d1');
SELECT version_number, bundle_version FROM dag_version ORDER BY 1;
ROLLBACK;
-- Columns of a version's row that nobody can write, and "deadline": null, as Airflow 3.3 has it.
ALTER TABLE dag_version ADD gone int, ADD twice int GENERATED ALWAYS AS (version_number * 2) STORED,
    ADD counted int GENERATED ALWAYS AS IDENTITY;
ALTER TABLE dag_version DROP gone;
BEGIN;
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,deadline}', 'null') WHERE dag_version_id = lab.uuid('d2')$$);
SELECT version_number FROM airflow_pin.pin('d', 2);
UPDATE dag_version SET bundle_version = 'z' WHERE id = lab.uuid('d2');
SELECT version_number, bundle_version, twice FROM dag_version ORDER BY 1;
ROLLBACK;
ALTER TABLE dag_version DROP twice, DROP counted;
-- The commit of new runs cannot be told.
BEGIN;
ALTER TABLE dag RENAME bundle_version TO commit;
SELECT dag_id, drift FROM airflow_pin.pins();
ROLLBACK;

-- A run that asks for the latest version of a DAG that has none any more.
BEGIN;
DELETE FROM task_instance;
CALL lab.unguarded($$DELETE FROM dag_version$$);
INSERT INTO dag_run (dag_id, run_id, run_type, state, conf, creating_job_id)
    VALUES ('d', 'of_none', 'scheduled', 'queued', '{"airflow_pin_version": "latest"}', 1);
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'of_none';
SELECT detail FROM lab.decisions WHERE run_id = 'of_none';
ROLLBACK;

-- diff() of tasks that are none.
BEGIN;
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks}', '[{"__var": "x"}, {"__var": {"task_id": 7}}]')
    WHERE dag_version_id = lab.uuid('d1')$$);
SELECT kind, item FROM airflow_pin.diff('d', 1, 2) ORDER BY item;
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks}', '{"t": 1}') WHERE dag_version_id = lab.uuid('d1')$$);
SELECT kind, item FROM airflow_pin.diff('d', 1, 2) ORDER BY item;
SELECT kind, item FROM airflow_pin.diff('d', 2, 1) ORDER BY item;
CALL lab.unguarded($$UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = lab.uuid('d1')$$);
SELECT kind, item FROM airflow_pin.diff('d', 1, 2) ORDER BY item;
ROLLBACK;
-- Back to a version whose content was not known when it was pinned, is not known now, or is another since.
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 1, 'reject');
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject');
SAVEPOINT pinned;
CALL lab.unguarded($$UPDATE serialized_dag SET dag_hash = 'other' WHERE dag_version_id = lab.uuid('d1')$$);
SELECT airflow_pin.rollback('d');
ROLLBACK TO pinned;
CALL lab.unguarded($$DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('d1')$$);
SELECT version_number FROM airflow_pin.rollback('d');
SELECT version_number FROM airflow_pin.pin('d', 1, 'reject');
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject');
SELECT version_number FROM airflow_pin.rollback('d');
ROLLBACK;
-- A column of a task instance has another type: the run is failed, not written wrongly.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP VIEW lab.tasks CASCADE;
ALTER TABLE task_instance ALTER queue TYPE bytea USING NULL;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'odd_queue', 'manual', 'queued', 'b', lab.uuid('d2'));
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'report', 'd', 'odd_queue', 0, 'default_pool', 1, lab.uuid('d2'));
SET CONSTRAINTS ALL IMMEDIATE;
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'odd_queue';
SELECT detail FROM lab.decisions WHERE run_id = 'odd_queue';
ROLLBACK;
