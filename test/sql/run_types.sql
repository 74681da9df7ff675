-- run_types of a pin: the runs of other types are none of its business.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number, run_types FROM airflow_pin.pin('d', 1, run_types => '{scheduled,backfill}');
CALL lab.run('d', 'scheduled', 'scheduled');
CALL lab.run('d', 'backfill', 'backfill');
CALL lab.run('d', 'manual', 'manual');
CALL lab.run('d', 'asset_triggered', 'asset_triggered');
CALL lab.run('d', 'operator_triggered', 'operator_triggered');
CALL lab.run('d', 'asset_materialization', 'asset_materialization');
CALL lab.run('d', 'of_the_future', 'of_the_future');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id COLLATE "C";
SELECT run_id, action FROM lab.decisions;
SELECT t AS run_type, r.version_number, r.bundle_version, r.action, r.reason
    FROM unnest(ARRAY['scheduled', 'backfill', 'manual', 'asset_triggered']) t, airflow_pin.resolve('d', t) r;

SELECT version_number, run_types FROM airflow_pin.pin('d', 1, 'reject', run_types => '{manual}');
CALL lab.run('d', 'manual_2', 'manual');
CALL lab.run('d', 'scheduled_2', 'scheduled');
SELECT run_id, state, version FROM lab.runs WHERE run_id LIKE '%_2' ORDER BY run_id;

-- Where DAGs without a pin are refused, this one has a pin: its other runs are latest runs.
SET airflow_pin.unpinned_dags = reject;
CALL lab.run('d', 'scheduled_3', 'scheduled');
SELECT state, version FROM lab.runs WHERE run_id = 'scheduled_3';
SELECT action, reason FROM airflow_pin.resolve('d', 'scheduled');
