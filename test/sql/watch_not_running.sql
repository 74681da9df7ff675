-- migration_status() where nobody else is there: not running, what is left, who may look. (Sessions that
-- migrate: test/isolation and test/airflow/watch.)
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql

-- One row, with nothing in it that is about a session.
CREATE VIEW lab.status AS
    SELECT verdict, evidence, next_action, revisions_left,
           (pid, phase, component, revision, relation, done_bytes, total_bytes, percent, bytes_per_second, eta,
            running_for, wait_event_type, wait_event, blocked_by, root_blocker, end_sql) IS NULL AS no_session
    FROM airflow_pin.migration_status();
SELECT * FROM lab.status;

-- What is left, after a migration that broke off within core, and one that broke off within FAB.
UPDATE alembic_version SET version_num = '1d6611b6ab7c';
SELECT verdict, regexp_replace(evidence, '\d+ revisions', 'N revisions') AS evidence,
       regexp_replace(next_action, '\d\d:\d\d:\d\d', 'TIME', 'g') AS next_action, revisions_left > 5 AS some_left
FROM lab.status;
SELECT revisions_left = (SELECT count(DISTINCT revision) FROM airflow_pin.migration_plan()) AS as_planned,
       left_low = (SELECT sum(eta_low) FROM airflow_pin.migration_plan()) AS low, left_high > left_low AS high
FROM airflow_pin.migration_status();
UPDATE alembic_version SET version_num = 'd2f4e1b3c5a7';
UPDATE alembic_version_fab SET version_num = '6709f7a774b9';
SELECT verdict, evidence, revisions_left FROM lab.status;
UPDATE alembic_version_fab SET version_num = '02ca36b0235b';

-- A revision that is not known; a version table that is none.
UPDATE alembic_version SET version_num = 'ffffffffffff';
SELECT verdict, evidence, next_action, revisions_left FROM lab.status;
DELETE FROM alembic_version;
SELECT verdict, evidence, next_action, revisions_left FROM lab.status;
INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');

-- A version table of another column type, of which a dead row is looked at, too.
ALTER TABLE alembic_version ALTER version_num TYPE name;
UPDATE alembic_version SET version_num = '1d6611b6ab7c';
SELECT verdict, revisions_left > 5 AS some_left FROM lab.status;
ALTER TABLE alembic_version ALTER version_num TYPE varchar(32);
UPDATE alembic_version SET version_num = 'd2f4e1b3c5a7';

-- What one does oneself is not a migration.
BEGIN;
SELECT pg_advisory_lock(1);
LOCK TABLE ab_user;
SELECT verdict FROM lab.status;
ROLLBACK;
SELECT pg_advisory_unlock(1);

-- In a read-only transaction, for monitoring, which has no right on the tables, and not for others.
BEGIN READ ONLY;
SET LOCAL ROLE airflow_pin_monitor;
SELECT verdict, evidence FROM airflow_pin.migration_status();
SELECT count(*) FROM alembic_version;
ROLLBACK;
CREATE ROLE airflow_pin_nobody;
SET ROLE airflow_pin_nobody;
SELECT verdict FROM airflow_pin.migration_status();
RESET ROLE;
DROP ROLE airflow_pin_nobody;

-- Strings of the old kind change no query, and nothing is said of them. (PostgreSQL 19 has none any more.)
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'standard_conforming_strings'
    AND current_setting('server_version_num')::int < 190000 \g /dev/null
SELECT verdict FROM airflow_pin.migration_status();
SELECT count(*) FROM airflow_pin.preflight() WHERE severity = 'unknown';
RESET standard_conforming_strings;

-- Look-alikes in the caller's search_path are not used.
CREATE SCHEMA trap;
CREATE VIEW trap.pg_stat_activity AS SELECT 1 / 0 AS pid;
SET search_path = trap, pg_catalog;
SELECT verdict FROM airflow_pin.migration_status();
RESET search_path;
DROP SCHEMA trap CASCADE;

-- Several schemas with Airflow's tables; one that has none; no Airflow at all.
CREATE SCHEMA other;
CREATE TABLE other.dag_run ();
CREATE TABLE other.alembic_version ();
SELECT airflow_pin.detach();
SELECT verdict FROM airflow_pin.migration_status();
SET airflow_pin.airflow_schema = 'lab';
SELECT verdict, evidence, revisions_left FROM airflow_pin.migration_status();
SET airflow_pin.airflow_schema = 'gone';
SELECT verdict, evidence, revisions_left FROM airflow_pin.migration_status();
RESET airflow_pin.airflow_schema;
DROP SCHEMA other CASCADE;
DROP TABLE alembic_version, alembic_version_fab;
SELECT * FROM lab.status;
