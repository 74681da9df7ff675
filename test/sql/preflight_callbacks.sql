-- preflight()'s check of callbacks that nobody has called yet.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
\i :abs_srcdir/fixtures/health_airflow2.sql
SET client_min_messages = error;
CREATE TABLE callback_request (id serial PRIMARY KEY, created_at timestamptz NOT NULL, priority_weight integer NOT NULL,
    callback_data json NOT NULL, callback_type varchar(20) NOT NULL, processor_subdir varchar(2000));
CREATE EXTENSION airflow_pin;
INSERT INTO alembic_version VALUES ('5f2621c13b39');
CREATE FUNCTION lab.findings(target text) RETURNS TABLE (severity text, object text, value text, threshold text, message text, hint text, fix_sql text)
    LANGUAGE sql AS $$ SELECT severity, object, value, threshold, message, hint, fix_sql FROM airflow_pin.preflight(target)
    WHERE check_name = 'callbacks' $$;
\set ECHO all
SELECT * FROM lab.findings('3.3.2');
INSERT INTO callback_request (created_at, priority_weight, callback_data, callback_type) VALUES (now(), 1, to_json('{}'::text), 'DagCallbackRequest');
-- The DAG processor of 3.0 and 3.1 ends on those of Airflow 2; 3.2 and later delete them.
SELECT * FROM lab.findings('3.0.6');
SELECT * FROM lab.findings('3.1.8');
SELECT * FROM lab.findings('3.2.2');
SELECT * FROM lab.findings('3.3.2');
-- Nothing is to come, or nothing that minds.
SELECT * FROM lab.findings('2.11.2');
UPDATE alembic_version SET version_num = 'fe199e1abd77';
SELECT * FROM lab.findings('3.1.8');
SELECT severity, message FROM lab.findings('3.2.2');
-- Mended by what fix_sql says.
UPDATE alembic_version SET version_num = '5f2621c13b39';
SELECT fix_sql FROM lab.findings('3.1.8') \gexec
SELECT severity, message FROM lab.findings('3.1.8');
-- Without the table there is nothing to say.
DROP TABLE callback_request;
SELECT * FROM lab.findings('3.1.8');
