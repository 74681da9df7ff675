-- on_mismatch reject: who asked for the run is told, a scheduler's run is born failed.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number, bundle_version, on_mismatch FROM airflow_pin.pin('d', 1, 'reject');

-- Runs that somebody asked for: an error that names DAG, requested and pinned version.
CALL lab.run('d', 'manual_1', 'manual');
\echo :SQLSTATE
CALL lab.run('d', 'operator_1', 'operator_triggered');
\echo :SQLSTATE
-- "airflow backfill create" takes class 23 for "exists already" and classes 40 and 55 for retryable.
CALL lab.run('d', 'backfill_1', 'backfill');
\echo :SQLSTATE
CALL lab.run('d', 'materialization_1', 'asset_materialization');
\echo :SQLSTATE
SELECT count(*) AS runs, (SELECT count(*) FROM airflow_pin.run_decision) AS decisions FROM dag_run;

-- Runs that the scheduler creates, and those of a run type not known here: an error would end the
-- scheduler. They become failed runs of the pinned version, with nothing started.
CALL lab.run('d', 'scheduled_1', 'scheduled', at => '2026-01-01 00:00+00');
CALL lab.run('d', 'asset_1', 'asset_triggered');
CALL lab.run('d', 'future_1', 'of_the_future');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, state, start_date IS NOT NULL AS started, end_date >= start_date AS ended,
       end_date BETWEEN now() - interval '1 minute' AND clock_timestamp() AS just_now, logical_date IS NOT NULL AS dated
    FROM dag_run ORDER BY run_id;
SELECT run_id, task_id, version, state FROM lab.tasks ORDER BY run_id, task_id;
SELECT * FROM lab.decisions;

-- A job id in the row tells of a scheduler, whatever the run type says.
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id, bundle_version, created_dag_version_id)
    SELECT 'd', 'job_' || t, t, 'queued', 7, 'b', lab.uuid('d2')
    FROM unnest(ARRAY['manual', 'operator_triggered', 'backfill', 'asset_materialization']) t;
COMMIT;
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id LIKE 'job%' ORDER BY run_id;

-- Where the pinned version has no task instances to show, the failed run is what Airflow asked for.
CALL lab.two_versions('broken');
SELECT version_number FROM airflow_pin.pin('broken', 1, 'reject');
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{__version}', '4') WHERE dag_version_id = lab.uuid('broken1')$$);
CALL lab.run('broken', 'unplanned');
SELECT * FROM lab.whole WHERE run_id = 'unplanned';
SELECT action, effective FROM lab.decisions WHERE run_id = 'unplanned';

-- The pinned version itself runs, whoever asks for it.
SELECT version_number FROM airflow_pin.pin('d', 2, 'reject');
CALL lab.run('d', 'manual_2', 'manual');
CALL lab.run('d', 'scheduled_2');
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id LIKE '%_2' ORDER BY run_id;
SELECT count(*) FROM airflow_pin.run_decision WHERE run_id LIKE '%\_2';

-- A refused run takes its statement along, and nothing else.
SELECT version_number FROM airflow_pin.pin('d', 1, 'reject');
CALL lab.two_versions('free');
BEGIN;
CALL lab.run('free', 'free_1', 'manual');
SAVEPOINT before_refusal;
CALL lab.run('d', 'manual_3', 'manual');
ROLLBACK TO before_refusal;
CALL lab.run('free', 'free_2', 'manual');
COMMIT;
SELECT run_id, state FROM lab.runs WHERE run_id IN ('free_1', 'free_2', 'manual_3') ORDER BY run_id;
