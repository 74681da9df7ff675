-- Airflow's tables: in another schema, in several, of Airflow 2, half migrated, or not there at all.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
SET client_min_messages = warning;
-- A schema with a name that has to be quoted.
ALTER SCHEMA public RENAME TO "Airflow's ""Own""";
SET search_path = "Airflow's ""Own""";
CALL lab.two_versions('d');
SET search_path = '';
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'trigger enforce_run on dag_run', 'in_force');
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT action, version_number FROM airflow_pin.resolve('d');
SET search_path = "Airflow's ""Own""";
CALL lab.run('d', 'quoted');
CALL lab.run('d', 'quoted_manual', 'manual');
SET search_path = '';
SELECT run_id, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, task_id, version FROM lab.tasks ORDER BY run_id, task_id;
SELECT run_id, airflow_schema FROM airflow_pin.run_decision ORDER BY run_id;
SELECT drift FROM airflow_pin.pins();
SELECT count(*) FROM airflow_pin.diff('d', 1, 2);
SELECT airflow_pin.pin('nope');
SELECT airflow_pin.pin('d', 1, bundle_version => 'nowhere');
SELECT version_number FROM airflow_pin.unpin('d');
SELECT version_number FROM airflow_pin.rollback('d');

-- A second schema with Airflow tables: the attached one counts.
CREATE SCHEMA second;
CREATE TABLE second.alembic_version (version_num text);
CREATE TABLE second.dag_run (LIKE "Airflow's ""Own""".dag_run);
CREATE TABLE second.dag_version (LIKE "Airflow's ""Own""".dag_version);
SELECT state FROM airflow_pin.status() WHERE item = 'airflow_schema';
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT airflow_pin.attach('second');
\echo :SQLSTATE
CREATE TABLE second.dag (LIKE "Airflow's ""Own""".dag);
CREATE TABLE second.dag_code (LIKE "Airflow's ""Own""".dag_code);
CREATE TABLE second.serialized_dag (LIKE "Airflow's ""Own""".serialized_dag);
CREATE TABLE second.task_instance (LIKE "Airflow's ""Own""".task_instance);
SELECT airflow_pin.attach('second');
\echo :SQLSTATE
-- Attached to none, the one to use has to be named.
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
-- Whether the DAG exists cannot be told.
SELECT airflow_pin.unpin('nope');
\echo :SQLSTATE
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'in_force');
SELECT dag_id, pinned_version, latest_version, drift FROM airflow_pin.pins();
-- The setting names it.
SET airflow_pin.airflow_schema = 'second';
SELECT item, state FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'trigger enforce_run on dag_run', 'in_force');
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SET airflow_pin.airflow_schema = 'Airflow''s "Own"';
SELECT airflow_pin.attach();
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT item, state FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'trigger enforce_run on dag_run', 'in_force');
SET airflow_pin.airflow_schema = 'nowhere';
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SELECT item, state, detail FROM airflow_pin.status() WHERE item IN ('airflow_schema', 'in_force');
RESET airflow_pin.airflow_schema;
SELECT airflow_pin.detach();
DROP SCHEMA second CASCADE;

-- A migration that is half done: a table is missing.
BEGIN;
ALTER TABLE "Airflow's ""Own""".task_instance RENAME TO _airflow_moved;
SELECT airflow_pin.attach();
\echo :SQLSTATE
ROLLBACK;

-- Airflow 2: health functions have their tables, pinning says what it needs.
DROP SCHEMA "Airflow's ""Own""" CASCADE;
CREATE SCHEMA two;
CREATE TABLE two.alembic_version (version_num text);
INSERT INTO two.alembic_version VALUES ('5f2621c13b39');
CREATE TABLE two.dag (dag_id text PRIMARY KEY);
INSERT INTO two.dag VALUES ('d');
CREATE TABLE two.dag_run (dag_id text, run_id text, run_type text, state text, conf bytea);
SELECT airflow_pin.attach();
\echo :SQLSTATE
SELECT airflow_pin.attach('two');
SELECT airflow_pin.pin('d');
\echo :SQLSTATE
SELECT airflow_pin.rollback('d');
SELECT airflow_pin.resolve('d');
SELECT airflow_pin.diff('d', 1, 2);
SELECT item, state, detail FROM airflow_pin.status();
-- Its revision: none, or of what is no table.
SET airflow_pin.airflow_schema = 'two';
DELETE FROM two.alembic_version;
SELECT state, detail FROM airflow_pin.status() WHERE item = 'airflow_revision';
ALTER TABLE two.alembic_version RENAME TO versions;
SELECT state, detail FROM airflow_pin.status() WHERE item = 'airflow_revision';
CREATE VIEW two.alembic_version AS SELECT * FROM two.versions;
SELECT state, detail FROM airflow_pin.status() WHERE item = 'airflow_revision';
DROP VIEW two.alembic_version;
ALTER TABLE two.versions RENAME TO alembic_version;
RESET airflow_pin.airflow_schema;
-- Pins that are there can still be seen and taken off.
SELECT dag_id, pinned_version, latest_version, versions_behind, drift FROM airflow_pin.pins();
SELECT version_number FROM airflow_pin.unpin('d');
SELECT airflow_pin.unpin('d');
\echo :SQLSTATE

-- No Airflow tables at all: only half of what makes them, a view, a temporary table.
DROP SCHEMA two CASCADE;
CREATE SCHEMA half;
CREATE TABLE half.dag_run (dag_id text);
CREATE TEMP TABLE dag_run (dag_id text);
CREATE TEMP TABLE alembic_version (version_num text);
CREATE SCHEMA view;
CREATE VIEW view.dag_run AS SELECT 1 AS dag_id;
CREATE TABLE view.alembic_version (version_num text);
SELECT airflow_pin.attach();
\echo :SQLSTATE
-- A table that is spread over partitions is one.
CREATE SCHEMA partitioned;
CREATE TABLE partitioned.dag_run (dag_id text) PARTITION BY LIST (dag_id);
CREATE TABLE partitioned.alembic_version (version_num text);
SELECT airflow_pin.attach();
\echo :SQLSTATE
DROP SCHEMA partitioned CASCADE;
SELECT airflow_pin.detach();
SELECT airflow_pin.pin('d');
\echo :SQLSTATE
SELECT airflow_pin.resolve('d');
SELECT airflow_pin.unpin('d');
\echo :SQLSTATE
SELECT item, state, detail FROM airflow_pin.status();
SELECT count(*) FROM airflow_pin.pins();
SELECT airflow_pin.prune_decisions();
