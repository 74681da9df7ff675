-- preflight()'s checks of revisions and target: where the database is, and whether the target is reachable.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
\i :abs_srcdir/fixtures/health_airflow2.sql
SET client_min_messages = warning;
CREATE EXTENSION airflow_pin;
INSERT INTO alembic_version VALUES ('5f2621c13b39');
CREATE FUNCTION lab.findings(target text) RETURNS TABLE (check_name text, severity text, object text, value text, message text, hint text)
    LANGUAGE sql AS $$ SELECT check_name, severity, object, value, message, hint FROM airflow_pin.preflight(target)
    WHERE check_name IN ('target', 'revision', 'fab_provider') $$;
\set ECHO all

-- Targets: known, none, a patch release like a known one, of an unknown minor.
SELECT * FROM lab.findings('3.3.2');
SELECT * FROM lab.findings(NULL);
SELECT * FROM lab.findings('3.2.0');
SELECT * FROM lab.findings('4.0.0');
SELECT * FROM lab.findings('2.11.2');
-- FAB 2.4.2 to 2.4.4 fail on Airflow 2's tables: those of 3.0 and of 3.1.0.
SELECT * FROM lab.findings('3.0.6');
SELECT t, value, message, hint FROM unnest('{2.11.2,3.0,3.0.3,3.1.0,3.1.1,3.1,3.2.0,4.0.0,NULL}'::text[]) t, lab.findings(t) f
WHERE check_name = 'fab_provider';
CREATE TABLE alembic_version_fab (version_num varchar(32));
INSERT INTO alembic_version_fab VALUES ('6709f7a774b9');
SELECT * FROM lab.findings('3.0.6') WHERE object <> '3.0.6';
SELECT * FROM lab.findings('3.3.2') WHERE object = 'alembic_version_fab';

-- Backwards.
UPDATE alembic_version SET version_num = '1d6611b6ab7c';
SELECT * FROM lab.findings('3.1.8') WHERE object = 'alembic_version';
SELECT airflow_pin.is_ready('3.1.8');
-- Of a release so old that it is not known.
SELECT severity, object, message, hint FROM lab.findings('2.9') WHERE check_name = 'target';
SELECT airflow_pin.is_ready('3.2.2'), airflow_pin.is_ready('3.2');
-- What is not known is never ready.
SELECT airflow_pin.is_ready('2.9');
\echo :LAST_ERROR_SQLSTATE
SELECT airflow_pin.is_ready('9.9.9');
\echo :LAST_ERROR_SQLSTATE
SELECT airflow_pin.is_ready('3.4.0');
SELECT airflow_pin.is_ready('three');
\echo :LAST_ERROR_SQLSTATE
UPDATE alembic_version SET version_num = '5f2621c13b39';
SELECT severity, message FROM lab.findings('2.9.3') WHERE check_name = 'target';
UPDATE alembic_version SET version_num = '1d6611b6ab7c';

-- Not one revision, or one that nobody knows.
INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');
SELECT * FROM lab.findings('3.3.2') WHERE object = 'alembic_version';
SELECT airflow_pin.is_ready();
DELETE FROM alembic_version;
SELECT * FROM lab.findings('3.3.2') WHERE object = 'alembic_version';
SELECT airflow_pin.is_ready();
INSERT INTO alembic_version VALUES ('deadbeef');
SELECT * FROM lab.findings('3.3.2') WHERE object = 'alembic_version';
SELECT airflow_pin.is_ready();
UPDATE alembic_version SET version_num = '1d6611b6ab7c';
UPDATE alembic_version_fab SET version_num = 'deadbeef';
SELECT * FROM lab.findings('3.3.2') WHERE object = 'alembic_version_fab';
SELECT airflow_pin.is_ready();
-- Without FAB's tables there is nothing to say about it.
DROP TABLE ab_user CASCADE;
SELECT * FROM lab.findings('3.3.2');
