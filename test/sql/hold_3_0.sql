-- Held schedules in Airflow 3.0 and 3.1: where the latest version cannot be scheduled nobody writes dag after a run, and a DAG
-- at its limit has no next_dagrun_create_after.
\set ECHO none
\set airflow_3_0 1
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/hold.sql
SET timezone = 'UTC';
CREATE PROCEDURE lab.interval(run text) LANGUAGE sql AS
    $$ UPDATE dag_run SET data_interval_start = logical_date, data_interval_end = logical_date + '1 day' WHERE run_id = run $$;
CALL lab.scheduled('d', 'c1', lab.cron('0 0 * * *'), '{"max_active_runs": 2}');
CALL lab.scheduled('d', 'c2', lab.simple('NullTimetable'));
SELECT version_number, schedule FROM airflow_pin.pin('d', 1);
SELECT * FROM lab.row;

-- A run begins: the row says when the next one does.
BEGIN;
CALL lab.run('d', 'r1', at => '2026-01-01');
CALL lab.interval('r1');
SELECT next_dagrun FROM dag;
COMMIT;
SELECT next_dagrun, next_dagrun_create_after FROM dag;
-- Another, and it is at its limit. The next run stays what it was.
BEGIN;
CALL lab.run('d', 'r2', at => '2026-01-02');
CALL lab.interval('r2');
COMMIT;
SELECT next_dagrun, next_dagrun_create_after FROM dag;
CALL lab.parse('d', 'None', NULL);
SELECT next_dagrun, next_dagrun_create_after FROM dag;
SELECT drift FROM airflow_pin.pins();
-- A run ends, of whatever type.
UPDATE dag_run SET state = 'running' WHERE run_id = 'r1';
SELECT next_dagrun, next_dagrun_create_after FROM dag;
UPDATE dag_run SET state = 'success' WHERE run_id = 'r1';
SELECT next_dagrun, next_dagrun_create_after FROM dag;
CALL lab.run('d', 'm', 'manual');
SELECT next_dagrun, next_dagrun_create_after FROM dag;
CALL lab.parse('d', 'None', NULL);
SELECT next_dagrun, next_dagrun_create_after FROM dag;
UPDATE dag_run SET state = 'failed' WHERE run_id = 'm';
SELECT next_dagrun, next_dagrun_create_after FROM dag;
SELECT count(*) FROM airflow_pin.schedule_due;

-- The latest version's limit is not its own: the scheduler has emptied the column for that.
UPDATE dag SET next_dagrun_create_after = NULL;
SELECT next_dagrun, next_dagrun_create_after FROM dag;
-- Runs of others do not touch it.
CALL lab.scheduled('e', 'c1', lab.cron('0 0 * * *'));
CALL lab.run('e', 'r1', at => '2026-01-01');
SELECT version_number FROM airflow_pin.pin('e', schedule => 'latest');
CALL lab.run('e', 'r2', at => '2026-01-02');
UPDATE dag_run SET state = 'failed' WHERE dag_id = 'e';
SELECT next_dagrun FROM dag WHERE dag_id = 'e';
SELECT count(*) FROM airflow_pin.schedule_due;
