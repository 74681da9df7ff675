-- preflight()'s checks of what hangs on Airflow's tables: critical where the migration drops or alters what it
-- depends on. test/airflow/preflight takes the same to the real migration.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
\i :abs_srcdir/fixtures/health_airflow2.sql
SET client_min_messages = error;
CREATE EXTENSION airflow_pin;
INSERT INTO alembic_version VALUES ('5f2621c13b39');
CREATE VIEW lab.findings AS
    SELECT check_name, severity, object, value, message, fix_sql FROM airflow_pin.preflight('3.3.2')
    WHERE check_name IN ('dependent_views', 'foreign_triggers', 'deferred_triggers', 'publications', 'replica_identity', 'foreign_keys', 'dependent_expressions', 'dependent_objects', 'dependents');
CREATE SCHEMA mine;
\set ECHO all

-- Nothing of others.
SELECT * FROM lab.findings;

-- Of an Airflow newer than the plan nobody knows what is its own: no foreign key of a table beside its tables is called
-- another's, and nothing is proposed for anything.
UPDATE alembic_version SET version_num = '0123456789ab';
CREATE TABLE dynamic_region (run_id integer REFERENCES dag_run (id), of_dag text GENERATED ALWAYS AS ('d') STORED);
ALTER TABLE dag_run ADD newer text GENERATED ALWAYS AS (dag_id || 'x') STORED;
CREATE TABLE mine.of_runs (run_id integer REFERENCES dag_run (id));
CREATE VIEW mine.seen AS SELECT id FROM dag_run;
SELECT * FROM lab.findings WHERE severity <> 'ok';
SELECT airflow_pin.is_ready();
UPDATE alembic_version SET version_num = '5f2621c13b39';
SELECT * FROM lab.findings WHERE severity <> 'ok';
-- Where nothing happens to it nothing is proposed, either.
SELECT DISTINCT hint FROM airflow_pin.preflight('3.3.2') WHERE check_name IN ('foreign_keys', 'dependent_views') AND severity = 'info';
DROP TABLE dynamic_region, mine.of_runs;
DROP VIEW mine.seen;
ALTER TABLE dag_run DROP newer;

-- What the migration alters or drops: dag_run.conf (step 0055), task_instance's primary key (0042), what a later
-- step knows by another name (dataset.uri), ... What depends on the primary key only goes with it.
CREATE VIEW mine.confs AS SELECT id, conf FROM dag_run;
CREATE VIEW mine.tasks AS SELECT dag_id, task_id, run_id, map_index, state FROM task_instance GROUP BY dag_id, task_id, run_id, map_index;
CREATE MATERIALIZED VIEW mine.uris AS SELECT uri FROM dataset;
-- Views on views go first.
CREATE VIEW mine.short_confs AS SELECT id, left(conf::text, 80) AS conf FROM mine.confs;
CREATE MATERIALIZED VIEW mine.both AS SELECT c.conf, u.uri FROM mine.short_confs c, mine.confs d, mine.uris u;
CREATE VIEW mine.fails AS SELECT count(*) FROM task_fail;
CREATE RULE watch AS ON DELETE TO dag_run_note DO ALSO SELECT OLD.user_id;
CREATE TRIGGER watch_conf AFTER UPDATE OF conf ON dag_run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER watch_some AFTER UPDATE ON dag_run FOR EACH ROW WHEN (NEW.external_trigger)
    EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE PUBLICATION some_runs FOR TABLE dag_run (id, conf) WHERE (id > 0);
CREATE TABLE mine.comments (dag_id text, task_id text, run_id text, map_index int, comment text,
    CONSTRAINT of_task FOREIGN KEY (dag_id, task_id, run_id, map_index) REFERENCES task_instance);
CREATE TABLE mine.uses (uri text CONSTRAINT of_uri REFERENCES dataset (uri));
CREATE POLICY triggered ON dag_run USING (external_trigger);
CREATE FUNCTION mine.has_conf(integer) RETURNS boolean BEGIN ATOMIC SELECT conf IS NOT NULL FROM dag_run WHERE id = $1; END;
SELECT * FROM lab.findings WHERE check_name <> 'deferred_triggers';
SELECT airflow_pin.is_ready();

-- Nothing of it matters where the target does not touch it.
INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');
SELECT count(*) > 0 AS found, bool_and(severity = 'warning') AS warnings, max(message) FROM lab.findings WHERE object IS NOT NULL;
DELETE FROM alembic_version WHERE version_num = '5f2621c13b39';
SELECT check_name, severity, object, message FROM lab.findings WHERE object IS NOT NULL;
UPDATE alembic_version SET version_num = '5f2621c13b39';

-- Mended by what fix_sql says; policies and functions have none.
SELECT fix_sql FROM lab.findings WHERE fix_sql IS NOT NULL \gexec
DROP POLICY triggered ON dag_run;
DROP FUNCTION mine.has_conf;
SELECT check_name, severity, object FROM lab.findings WHERE severity <> 'ok';

-- Views that depend on each other: dropped by hand.
CREATE VIEW mine.one AS SELECT conf FROM dag_run;
CREATE VIEW mine.two AS SELECT conf FROM mine.one;
CREATE OR REPLACE VIEW mine.one AS SELECT r.conf FROM dag_run r, mine.two;
SELECT severity, object FROM lab.findings WHERE check_name = 'dependent_views';
DROP VIEW mine.one, mine.two CASCADE;

-- What depends on nothing that is altered stays.
CREATE VIEW mine.runs AS SELECT id, dag_id, run_id, state FROM dag_run;
CREATE VIEW mine.how_many AS SELECT count(*) FROM dag_run;
CREATE TRIGGER watch_state AFTER UPDATE OF state ON dag_run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER watch_all AFTER UPDATE ON dag_run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TABLE mine.labels (run integer REFERENCES dag_run, label text);
CREATE PUBLICATION all_runs FOR TABLE dag_run;
SELECT check_name, severity, object, message FROM lab.findings WHERE severity <> 'ok';

-- Step 0042 takes task_instance's primary key away, and with it the replica identity that updates are published by.
CREATE PUBLICATION listed FOR TABLE task_instance (dag_id, task_id, run_id, map_index, state);
CREATE PUBLICATION filtered FOR TABLE task_instance WHERE (dag_id <> 'secret'), task_instance_history WHERE (id > 0) WITH (publish = 'update');
CREATE PUBLICATION deletions FOR TABLE task_instance WHERE (dag_id <> 'secret') WITH (publish = 'delete');
CREATE PUBLICATION everything FOR ALL TABLES;
-- What fits the new key, has one that stays, or publishes no update, holds.
CREATE PUBLICATION holds FOR TABLE task_instance, dag_run (id, state), dataset_alias_dataset (alias_id, dataset_id);
CREATE PUBLICATION whole FOR TABLES IN SCHEMA public;
CREATE PUBLICATION inserts FOR TABLE task_instance (dag_id), xcom WHERE (dag_id <> 'secret') WITH (publish = 'insert, truncate');
SELECT severity, object, value, message, fix_sql, hint FROM airflow_pin.preflight('3.3.2')
WHERE check_name = 'replica_identity';
SELECT fix_sql FROM lab.findings WHERE check_name = 'replica_identity' \gexec
SELECT severity, message FROM lab.findings WHERE check_name = 'replica_identity';
-- A replica identity that is named is gone for all who publish the table.
ALTER TABLE task_instance REPLICA IDENTITY USING INDEX task_instance_pkey;
ALTER TABLE dataset REPLICA IDENTITY USING INDEX idx_uri_unique;
SELECT severity, object, value, message, fix_sql FROM lab.findings WHERE check_name = 'replica_identity';
SELECT fix_sql FROM lab.findings WHERE check_name = 'replica_identity' \gexec
SELECT severity FROM lab.findings WHERE check_name = 'replica_identity';
ALTER TABLE task_instance REPLICA IDENTITY FULL;
SELECT severity FROM lab.findings WHERE check_name = 'replica_identity';
ALTER TABLE task_instance REPLICA IDENTITY DEFAULT;
DROP PUBLICATION listed, filtered, deletions, everything, holds, whole, inserts;

-- Expressions over a column that gets another type (xcom.value, dag_run_note.user_id), and over one that goes.
ALTER TABLE xcom ADD size integer GENERATED ALWAYS AS (length(value)) STORED;
ALTER TABLE dag_run ADD has_conf boolean GENERATED ALWAYS AS (conf IS NOT NULL) STORED;
CREATE INDEX of_values ON xcom (md5(value));
CREATE INDEX of_users ON dag_run_note (created_at) WHERE user_id > 0;
CREATE STATISTICS mine.lengths ON length(value), key FROM xcom;
ALTER TABLE xcom ADD CONSTRAINT small CHECK (length(value) < 1000000);
-- What holds: the type is only longer; the index goes with the column; there is no expression; nothing changes.
CREATE INDEX of_executors ON task_instance (lower(external_executor_id)) WHERE external_executor_id <> '';
CREATE INDEX of_confs ON dag_run (length(conf));
CREATE INDEX plain_users ON dag_run_note (user_id);
CREATE STATISTICS mine.plain ON value, key FROM xcom;
ALTER TABLE dag_run ADD next_id integer GENERATED ALWAYS AS (id + 1) STORED;
SELECT severity, object, value, message, fix_sql FROM lab.findings WHERE check_name = 'dependent_expressions';
SELECT fix_sql FROM lab.findings WHERE check_name = 'dependent_expressions' AND severity = 'critical' \gexec
SELECT severity, object FROM lab.findings WHERE check_name = 'dependent_expressions';
ALTER TABLE dag_run DROP next_id;
DROP INDEX of_executors;

-- The row type of a table of which a column gets another type, or that goes.
CREATE TABLE mine.kept AS SELECT x FROM xcom x;
CREATE TABLE mine.many (fails task_fail[]);
CREATE FUNCTION mine.of_fail(task_fail) RETURNS integer LANGUAGE sql RETURN 1;
-- A function may live on, and a row type whose columns keep their types.
CREATE FUNCTION mine.of_xcom(xcom) RETURNS integer LANGUAGE sql RETURN 1;
CREATE TABLE mine.roles AS SELECT r FROM ab_role r;
SELECT severity, object, value, message FROM lab.findings WHERE check_name = 'dependent_objects';
DROP FUNCTION mine.of_fail, mine.of_xcom;
DROP TABLE mine.kept, mine.many, mine.roles;

-- A deferrable trigger's events are pending when the step's next statement alters the table.
CREATE CONSTRAINT TRIGGER watch_late AFTER UPDATE ON task_instance DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT severity, object, message, fix_sql FROM lab.findings WHERE check_name = 'deferred_triggers';

-- Rules on dag_run itself are no ground for any check.
CREATE RULE watch AS ON DELETE TO dag_run DO ALSO SELECT OLD.run_id;
SELECT check_name, severity, message, hint FROM airflow_pin.preflight();
DROP RULE watch ON dag_run;

\set ECHO none
DROP PUBLICATION all_runs, some_runs;
DROP SCHEMA mine CASCADE;
