-- A table of Airflow with a rule is not read in its owner's name, and is never taken for one that is not there.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
SET client_min_messages = warning;
CREATE TABLE xcom (dag_run_id int);
CALL lab.two_versions('a');
INSERT INTO dag_run (dag_id, run_id, run_type, state, start_date) VALUES ('a', 'r', 'manual', 'running', now());
INSERT INTO task_instance (id, dag_id, run_id, task_id, state, try_number, pool, pool_slots, start_date)
    VALUES (gen_random_uuid(), 'a', 'r', 't', 'running', 1, 'p', 1, now());
INSERT INTO job (job_type, state, hostname, latest_heartbeat) VALUES ('SchedulerJob', 'running', 'h', clock_timestamp() + interval '1 h');
CREATE TABLE lab.copy (id uuid);

CREATE RULE keep_copy AS ON INSERT TO task_instance DO ALSO INSERT INTO lab.copy VALUES (NEW.id);
SET client_min_messages = notice;
SELECT kind, state, dag_id, count FROM airflow_pin.in_flight();
CALL airflow_pin.drain('0');
SELECT kind, dag_id, count FROM airflow_pin.lost_on_rollback('2000-01-01') WHERE kind IN ('dag_run', 'task_instance');
SELECT * FROM airflow_pin.export_runs('2000-01-01');
SET client_min_messages = warning;
SELECT severity, object, message, hint FROM airflow_pin.preflight() WHERE check_name = 'in_flight';
SELECT check_name, severity, message FROM airflow_pin.baseline('rules') WHERE severity = 'unknown';

-- The same for others.
CREATE RULE on_job AS ON DELETE TO job DO INSTEAD NOTHING;
CREATE RULE on_dag AS ON DELETE TO dag DO INSTEAD NOTHING;
SELECT check_name, severity, object, message FROM airflow_pin.preflight() WHERE check_name IN ('heartbeats', 'paused_dags');
SELECT airflow_pin.pause_all('rules');
SELECT airflow_pin.throttle('rules', 1);

-- Without them all is well again, although pg_class.relhasrules is true until VACUUM.
DROP RULE keep_copy ON task_instance;
DROP RULE on_job ON job;
DROP RULE on_dag ON dag;
SELECT count(*) AS stay FROM pg_class WHERE relname IN ('task_instance', 'job', 'dag') AND relhasrules;
SELECT kind, state, dag_id, count FROM airflow_pin.in_flight();
SELECT check_name, severity, object, message FROM airflow_pin.preflight() WHERE check_name IN ('in_flight', 'paused_dags');
SELECT severity, object FROM airflow_pin.preflight() WHERE check_name = 'heartbeats';
SELECT airflow_pin.is_ready();

-- dag_run itself: nothing can be told. Nor may pinning work with it.
CREATE RULE on_run AS ON INSERT TO dag_run DO ALSO NOTHING;
SELECT check_name, severity, message, hint FROM airflow_pin.preflight();
SELECT airflow_pin.attach();
\echo :SQLSTATE
DROP RULE on_run ON dag_run;
SELECT severity, message FROM airflow_pin.preflight() WHERE check_name = 'airflow_schema';
SELECT airflow_pin.attach();
