-- preflight()'s check of the names that the migration needs: critical where a constraint or index is missing, has another
-- name, or is there twice. test/airflow/names takes each of them to the check and some to the real migration.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
\i :abs_srcdir/fixtures/health_airflow2.sql
SET client_min_messages = error;
CREATE EXTENSION airflow_pin;
INSERT INTO alembic_version VALUES ('5f2621c13b39');
CREATE VIEW lab.findings AS
    SELECT check_name, severity, object, value, message, hint, fix_sql FROM airflow_pin.preflight('3.3.2')
    WHERE check_name IN ('needed_names', 'repeated_keys');
\set ECHO all
-- These tables were made without plain indexes: the migration would fail on each. Made as fix_sql says, they are
-- Airflow's own.
SELECT object, value, fix_sql FROM lab.findings WHERE severity = 'critical';
SELECT airflow_pin.is_ready('3.3.2');
\set ECHO none
SELECT fix_sql FROM lab.findings WHERE severity = 'critical' \gexec
\set ECHO all
SELECT * FROM lab.findings;
SELECT airflow_pin.is_ready('3.3.2');

-- Missing, of core and FAB. A foreign key is made without a look at the rows, which may be orphans.
ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_user_id_fkey;
INSERT INTO ab_user_role (id, user_id, role_id) VALUES (1, 99, NULL);
DROP INDEX idx_root_dag_id;
ALTER TABLE dag_run DROP CONSTRAINT dag_run_dag_id_execution_date_key;
-- Another name.
ALTER TABLE task_instance RENAME CONSTRAINT task_instance_pkey TO task_instance_pk;
ALTER INDEX ti_job_id RENAME TO "my idx";
ALTER TABLE task_instance_note RENAME CONSTRAINT task_instance_note_user_fkey TO mine;
-- FAB looks for a key of the columns: any name will do.
ALTER TABLE ab_permission_view_role RENAME CONSTRAINT ab_permission_view_role_permission_view_id_fkey TO b_pvr_view_fkey;
-- Twice: FAB takes the first by name.
ALTER TABLE ab_permission_view_role ADD CONSTRAINT a_pvr_role_fkey FOREIGN KEY (role_id) REFERENCES ab_role (id);
ALTER TABLE ab_permission_view_role ADD CONSTRAINT z_pvr_role_fkey FOREIGN KEY (role_id) REFERENCES ab_role (id);
SELECT check_name, severity, object, value, message, fix_sql FROM lab.findings;
SELECT DISTINCT check_name, hint FROM lab.findings ORDER BY 1;
SELECT airflow_pin.is_ready('3.3.2');
-- Only what is yet to come counts.
SELECT count(*) FILTER (WHERE object ~ 'ab_') AS fab, count(*) FROM airflow_pin.preflight('3.1.8') WHERE check_name = 'needed_names' AND severity = 'critical';
\set ECHO none
SELECT fix_sql FROM lab.findings WHERE severity = 'critical' \gexec
\set ECHO all
SELECT check_name, severity, message FROM lab.findings;
SELECT conname, convalidated FROM pg_constraint WHERE conname = 'ab_user_role_user_id_fkey';

-- The name is there, but of something else, or an index has it where a constraint should.
ALTER TABLE dag_run DROP CONSTRAINT dag_run_dag_id_execution_date_key;
CREATE UNIQUE INDEX dag_run_dag_id_execution_date_key ON dag_run (dag_id, execution_date);
DROP INDEX idx_uri_unique;
CREATE VIEW idx_uri_unique AS SELECT 1 AS one;
DROP INDEX ti_job_id;
ALTER TABLE task_instance ADD CONSTRAINT ti_job_id UNIQUE (job_id);
ALTER TABLE task_instance_note DROP CONSTRAINT task_instance_note_user_fkey;
ALTER TABLE task_instance_note ADD CONSTRAINT task_instance_note_user_fkey CHECK (user_id > 0);
SELECT object, fix_sql FROM lab.findings WHERE severity = 'critical';
\set ECHO none
SELECT fix_sql FROM lab.findings WHERE severity = 'critical' \gexec
\set ECHO all
SELECT check_name, severity, message FROM lab.findings;

-- Columns are called what they are called now: a migration that stopped half way, after dag_run.execution_date was renamed.
UPDATE alembic_version SET version_num = '1cdc775ca98f';
SELECT object FROM lab.findings WHERE object ~ 'execution_date|idx_root';
UPDATE alembic_version SET version_num = '0d9e73a75ee4';
SELECT object, fix_sql FROM lab.findings WHERE object ~ 'dataset_name_uri|uri_unique';

-- In a schema of another name, quoted as it must be.
\set ECHO none
UPDATE alembic_version SET version_num = '5f2621c13b39';
ALTER SCHEMA public RENAME TO "Air flow";
CREATE SCHEMA public;
\set ECHO all
SET search_path = pg_catalog;
SET airflow_pin.airflow_schema = 'Air flow';
SELECT severity, message FROM lab.findings;
ALTER TABLE "Air flow".ab_user_role DROP CONSTRAINT ab_user_role_user_id_fkey;
DROP INDEX "Air flow".ti_job_id;
SELECT fix_sql FROM lab.findings WHERE severity = 'critical';
\set ECHO none
SELECT fix_sql FROM lab.findings WHERE severity = 'critical' \gexec
\set ECHO all
SELECT severity, message FROM lab.findings;
\set ECHO none
RESET airflow_pin.airflow_schema;
DROP SCHEMA public;
ALTER SCHEMA "Air flow" RENAME TO public;
SET search_path = public;
\set ECHO all

