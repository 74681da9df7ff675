-- Where somebody else could put other tables in place of Airflow's, nothing is done in their owner's name.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number FROM airflow_pin.pin('d', 1);
CREATE ROLE airflow_pin_landlord;
ALTER SCHEMA public OWNER TO airflow_pin_landlord;
SELECT airflow_pin.pin('d', 2);
\echo :SQLSTATE
SELECT airflow_pin.resolve('d');
CALL lab.run('d', 'by_hand', 'manual');
CALL lab.run('d', 'on_time');
SELECT run_id, state, version, commit FROM lab.runs;
SELECT action, detail FROM airflow_pin.run_decision;
SELECT state, detail FROM airflow_pin.status() WHERE item = 'in_force';
ALTER SCHEMA public OWNER TO pg_database_owner;
DROP ROLE airflow_pin_landlord;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';

-- Nor where one of the tables is another role's, or a view.
CREATE ROLE airflow_pin_lodger;
ALTER TABLE dag_code OWNER TO airflow_pin_lodger;
SELECT airflow_pin.pin('d', 2);
ALTER TABLE dag_code OWNER TO CURRENT_USER;
DROP ROLE airflow_pin_lodger;
ALTER TABLE dag_code RENAME TO hidden;
CREATE VIEW dag_code AS SELECT * FROM hidden;
SELECT airflow_pin.pin('d', 2);
