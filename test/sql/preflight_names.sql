-- preflight()'s check of names: critical where something has the name of what the migration creates.
-- test/airflow/preflight takes the same to the real migration.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
\i :abs_srcdir/fixtures/health_airflow2.sql
SET client_min_messages = error;
CREATE EXTENSION airflow_pin;
INSERT INTO alembic_version VALUES ('5f2621c13b39');
CREATE VIEW lab.findings AS
    SELECT severity, object, value, message, hint, fix_sql FROM airflow_pin.preflight('3.3.2') WHERE check_name = 'taken_names';
\set ECHO all

-- None. A table that a step finds and leaves, and names in other schemas, are no ground.
CREATE TABLE _xcom_archive (key text);
CREATE TABLE lab.team (name text);
SELECT * FROM lab.findings;

-- Columns that are added or renamed to; the last one of a table that has another name when the step comes.
ALTER TABLE task_instance ADD id uuid;
ALTER TABLE dag_run ADD logical_date timestamptz;
ALTER TABLE dataset ADD "group" text;
ALTER TABLE dataset_alias_dataset ADD asset_id integer;
-- Indexes, on whatever table.
CREATE INDEX idx_dag_run_run_after ON dag_run (start_date);
CREATE INDEX idx_dataset_name_uri_unique ON dag (dag_id);
-- Constraints, and keys by the names of their indexes, of core and FAB; what is made ahead on email FAB takes away itself.
ALTER TABLE dag_run ADD CONSTRAINT dag_run_backfill_id_fkey CHECK (true);
CREATE SEQUENCE dag_run_dag_id_logical_date_key;
CREATE SEQUENCE backfill_pkey;
CREATE INDEX ab_register_user_email_uq ON ab_user (email);
-- Not the first one: FAB looks whether it is there. The second is another table's.
CREATE INDEX idx_role_id ON ab_permission_view_role (role_id);
CREATE INDEX idx_permission_view_id ON ab_role (name);
-- Tables: a step creates or renames one.
CREATE VIEW asset AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW backfill AS SELECT 1 AS id;
CREATE SEQUENCE dag_version;
CREATE TYPE dag_bundle AS (name text);
CREATE TYPE deadline AS ENUM ('soon');
CREATE TABLE team (name text);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE revoked_token (jti text) SERVER nowhere;
SELECT severity, object, value, message, fix_sql FROM lab.findings;
SELECT DISTINCT hint FROM lab.findings;

-- Only what the target creates matters, and what is yet to come.
SELECT count(*), max(object) FROM airflow_pin.preflight('3.0.6') WHERE check_name = 'taken_names' AND object ~ 'team|token';
INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');
SELECT severity, message FROM lab.findings;
DELETE FROM alembic_version WHERE version_num = '5f2621c13b39';
SELECT severity, message FROM lab.findings;
UPDATE alembic_version SET version_num = '5f2621c13b39';

-- Mended by what fix_sql says.
SELECT fix_sql FROM lab.findings \gexec
SELECT severity, message FROM lab.findings;

\set ECHO none
DROP SERVER nowhere CASCADE;
DROP FOREIGN DATA WRAPPER nothing;
