-- status_report(): a few lines for those who wait. The isolation test watch_sessions has sessions that migrate.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
SET TimeZone = 'UTC';
CREATE FUNCTION report() RETURNS text LANGUAGE sql
    AS $$ SELECT regexp_replace(airflow_pin.status_report('upgrade'), '\d{4}-\d\d-\d\d \d\d:\d\d UTC', 'SOME TIME', 'g') $$;
CREATE TABLE dag_tag (name text, dag_id text);
TRUNCATE dag CASCADE;
INSERT INTO dag (dag_id, bundle_name) VALUES ('a', 'b'), ('b', 'b');

SELECT report();
SELECT count(*) > 0 AS taken FROM airflow_pin.baseline('upgrade');
SELECT paused_now FROM airflow_pin.pause_all('upgrade');
SELECT * FROM airflow_pin.resume('upgrade', max_dags => 1);
UPDATE alembic_version SET version_num = '1d6611b6ab7c';
SELECT report();
SELECT airflow_pin.status_report(NULL);
GRANT EXECUTE ON FUNCTION report() TO airflow_pin_monitor;
SET ROLE airflow_pin_monitor;
SELECT report();
RESET ROLE;
