-- A pin holds schedule and limits, too: the row of dag is the pinned version's, whoever writes it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/hold.sql
SET timezone = 'UTC';

-- Version 1 runs at the end of each day since New Year, version 2 never.
CALL lab.scheduled('d', 'c1', lab.cron('0 0 * * *'));
CALL lab.parse('d', 'None', NULL);
CALL lab.run('d', 'r1', at => '2026-01-01', state => 'success');
UPDATE dag_run SET data_interval_start = '2026-01-01', data_interval_end = '2026-01-02';
CALL lab.scheduled('d', 'c2', lab.simple('NullTimetable'), '{"max_active_runs": 3, "max_active_tasks": 4, "fail_fast": true}');
SELECT version_number, schedule, schedule_chosen FROM airflow_pin.pin('d', 1);
SELECT * FROM lab.row;
SELECT dag_id, schedule, drift FROM airflow_pin.pins();
SELECT schedule FROM lab.whose;

-- A parse of version 2 writes its columns, and so does the scheduler after a run. They stay the pinned version's.
CALL lab.parse('d', 'None', NULL, 3);
SELECT * FROM lab.row;
CALL lab.run('d', 'r2', at => '2026-01-02', state => 'success');
UPDATE dag_run SET data_interval_start = '2026-01-02', data_interval_end = '2026-01-03' WHERE run_id = 'r2';
UPDATE dag SET next_dagrun = NULL, next_dagrun_data_interval_start = NULL, next_dagrun_data_interval_end = NULL, next_dagrun_create_after = NULL;
SELECT next_dagrun, next_dagrun_data_interval_end, next_dagrun_create_after FROM dag;

-- Somebody else's write does not compute the next run anew, but cannot change it either.
UPDATE dag SET is_paused = true, max_active_runs = 99;
SELECT is_paused, max_active_runs, next_dagrun FROM dag;
UPDATE dag SET is_paused = false;

-- Dates that have a run of any type are skipped, at the end of the data interval of the newest automated one.
CALL lab.run('d', 'm3', 'manual', at => '2026-01-03', state => 'success');
CALL lab.run('d', 'm4', 'manual', at => '2026-01-04', state => 'success');
CALL lab.parse('d', 'None', NULL);
SELECT next_dagrun FROM dag;

-- The limit: from 3.2 on it says so in a column of its own.
CALL lab.run('d', 'a1', 'manual');
CALL lab.run('d', 'a2', 'manual');
CALL lab.parse('d', 'None', NULL, 1);
SELECT max_active_runs, exceeds_max_non_backfill, next_dagrun FROM dag;
-- version 3 allows 2 active runs
CALL lab.scheduled('d', 'c3', lab.cron('0 0 * * *'), '{"max_active_runs": 2}');
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
SELECT max_active_runs, exceeds_max_non_backfill, next_dagrun FROM dag;
-- a run that ends makes room, also where no scheduler says so
UPDATE dag_run SET state = 'success' WHERE run_id = 'a1';
SELECT exceeds_max_non_backfill, next_dagrun FROM dag;
SELECT count(*) AS due FROM airflow_pin.schedule_due;
-- one that is to run again takes it
UPDATE dag_run SET state = 'queued' WHERE run_id = 'a1';
SELECT exceeds_max_non_backfill FROM dag;
UPDATE dag_run SET state = 'failed' WHERE state = 'queued';
SELECT exceeds_max_non_backfill FROM dag;

-- throttle() has the last word.
SELECT airflow_pin.throttle('day', 1);
CALL lab.parse('d', 'None', NULL, 16);
SELECT max_active_runs FROM dag;
CALL lab.run('d', 'a3', 'manual');
CALL lab.parse('d', 'None', NULL, 16);
SELECT max_active_runs, exceeds_max_non_backfill FROM dag;
UPDATE dag_run SET state = 'failed' WHERE state = 'queued';
SELECT airflow_pin.unthrottle('day');
SELECT max_active_runs, exceeds_max_non_backfill FROM dag;

-- What else follows from the version.
CALL lab.scheduled('d', 'c4', lab.cron('*/5 * * * *'), '{"catchup": true, "max_active_tasks": 7, "max_consecutive_failed_dag_runs": 5,
    "fail_fast": true, "allowed_run_types": ["manual", "scheduled"]}', '{"max_active_tis_per_dag": 2}');
SELECT version_number FROM airflow_pin.pin('d');
SELECT * FROM lab.row;
UPDATE dag SET has_task_concurrency_limits = false, fail_fast = false, allowed_run_types = NULL, max_active_tasks = 1, max_consecutive_failed_dag_runs = 0;
SELECT * FROM lab.row;
CALL lab.scheduled('d', 'c5', lab.simple('OnceTimetable'));
CALL lab.scheduled('d', 'c6', lab.simple('ContinuousTimetable'), '{"max_active_runs": 1}');
CALL lab.scheduled('d', 'c7', lab.delta(5400));
CALL lab.scheduled('d', 'c8', '{"__type": "airflow.timetables.trigger.MultipleCronTriggerTimetable", "__var": {"expressions": ["0 1 * * *", "0 2 * * *"],
    "timezone": "UTC", "interval": 0.0, "run_immediately": false}}');
CALL lab.scheduled('d', 'c9', '{"__type": "airflow.timetables.interval.DeltaDataIntervalTimetable", "__var": {"delta":
    {"months": 1, "days": 2, "weekday": [4, 2], "hour": 3}}}');
\set version 5
SELECT version_number FROM airflow_pin.pin('d', :version); SELECT * FROM lab.timetable;
\set version 6
SELECT version_number FROM airflow_pin.pin('d', :version); SELECT * FROM lab.timetable;
\set version 7
SELECT version_number FROM airflow_pin.pin('d', :version); SELECT * FROM lab.timetable;
\set version 8
SELECT version_number FROM airflow_pin.pin('d', :version); SELECT * FROM lab.timetable;
\set version 9
SELECT version_number FROM airflow_pin.pin('d', :version); SELECT * FROM lab.timetable;

-- The description of a cron expression is what Airflow once said of it.
SELECT version_number FROM airflow_pin.pin('d', 1); SELECT * FROM lab.timetable;
CALL lab.scheduled('e', 'c1', lab.cron('0 0 * * *'));
CALL lab.parse('e', '0 0 * * *', '2026-01-02', description => 'At 00:00');
CALL lab.parse('d', 'None', NULL);
SELECT * FROM lab.timetable WHERE dag_id = 'd';

-- unpin() gives the row back to the latest version; where that cannot be computed, the next parse says when.
CALL lab.scheduled('d', 'c10', lab.simple('AssetTriggeredTimetable'));
SELECT version_number FROM airflow_pin.unpin('d');
SELECT next_dagrun, next_dagrun_create_after FROM dag WHERE dag_id = 'd';
CALL lab.scheduled('d', 'c11', lab.cron('0 12 * * *'), '{"max_active_runs": 11}');
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT next_dagrun, max_active_runs, timetable_summary FROM dag WHERE dag_id = 'd';
SELECT version_number FROM airflow_pin.unpin('d');
SELECT next_dagrun, max_active_runs, timetable_summary FROM dag WHERE dag_id = 'd';
-- and Airflow has its way
UPDATE dag SET max_active_runs = 12 WHERE dag_id = 'd';
SELECT max_active_runs FROM dag WHERE dag_id = 'd';

-- A pin that leaves the schedule to the latest version touches nothing, made or ended.
UPDATE dag SET next_dagrun = '2030-01-01' WHERE dag_id = 'd';
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, schedule => 'latest');
SELECT version_number FROM airflow_pin.pin('d', 3);
UPDATE dag SET max_active_tasks = 77 WHERE dag_id = 'd';
SELECT version_number FROM airflow_pin.unpin('d');
SELECT next_dagrun, max_active_runs, max_active_tasks FROM dag WHERE dag_id = 'd';
-- moved from one to the other, the row is given back
SELECT version_number FROM airflow_pin.pin('d', 1, schedule => 'pinned');
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';
SELECT version_number FROM airflow_pin.pin('d', 1, schedule => 'latest');
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';
SELECT version_number, schedule FROM airflow_pin.rollback('d');
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';

-- A scheduled pin takes force with the next write of the row, and so does an end.
SELECT version_number FROM airflow_pin.unpin('d');
SELECT version_number FROM airflow_pin.pin('d', 3, valid_from => clock_timestamp() + '0.5 s');
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';
SELECT valid_from AS begins FROM airflow_pin.pinned_version \gset
CALL lab.wait_until(:'begins');
CALL lab.parse('d', '0 12 * * *', '2026-01-02 12:00');
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';
SET client_min_messages = warning; -- a NOTICE tells the time at which it ends
SELECT version_number, expires_at AS ends FROM airflow_pin.pin('d', 3, expires_at => clock_timestamp() + '0.5 s') \gset
RESET client_min_messages;
CALL lab.wait_until(:'ends');
CALL lab.parse('d', '0 12 * * *', '2026-01-02 12:00', 11);
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';
SELECT airflow_pin.prune_decisions();
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';

-- A rolled-back command changes nothing.
BEGIN;
SELECT version_number FROM airflow_pin.pin('d', 3);
ROLLBACK;
SELECT next_dagrun, max_active_runs FROM dag WHERE dag_id = 'd';
SELECT dag_id, removed_since, failure FROM airflow_pin.held_schedule;

-- diff() tells schedule and limits in words.
SELECT from_version, to_version, kind, item, d.from_value #>> '{}' AS "from", d.to_value #>> '{}' AS "to"
    FROM (VALUES (1, 2), (2, 10), (3, 4), (5, 6), (7, 8), (9, 11)) v (from_version, to_version),
        LATERAL airflow_pin.diff('d', from_version, to_version) d WHERE item LIKE '%in words';

-- Without catchup the next run depends on the clock: it is computed when Airflow computes one, and not at other writes.
CALL lab.scheduled('n', 'c1', '{"__type": "airflow.timetables.trigger.DeltaTriggerTimetable", "__var": {"delta": 3600.0, "interval": 0.0}}',
    '{"catchup": false}');
SELECT version_number, schedule FROM airflow_pin.pin('n');
SELECT next_dagrun AS next FROM dag WHERE dag_id = 'n' \gset
UPDATE dag SET is_paused = true WHERE dag_id = 'n';
SELECT next_dagrun = :'next' AS same FROM dag WHERE dag_id = 'n';
CALL lab.parse('n', '', NULL);
SELECT next_dagrun > :'next' AS later FROM dag WHERE dag_id = 'n';

-- A migration writes what it wants: its transaction has a lock as only DDL takes it. The next write is held again.
CALL lab.scheduled('mig', 'c1', lab.cron('0 0 * * *'), '{"max_active_tasks": 7}');
CALL lab.scheduled('mig', 'c2', lab.cron('0 0 * * *'), '{"max_active_tasks": 9}');
SELECT version_number, schedule FROM airflow_pin.pin('mig', 1);
BEGIN;
LOCK TABLE dag_run IN SHARE MODE;
UPDATE dag SET max_active_tasks = 11 WHERE dag_id = 'mig';
SELECT max_active_tasks FROM dag WHERE dag_id = 'mig';
COMMIT;
UPDATE dag SET max_active_tasks = 12 WHERE dag_id = 'mig';
SELECT max_active_tasks FROM dag WHERE dag_id = 'mig';
-- The SDK of 3.2 serializes a preset by its name; the row of dag has what it stands for.
CALL lab.scheduled('preset', 'c1', lab.cron('@daily'));
CALL lab.scheduled('preset', 'c2', lab.cron('0 0 1 1 *'));
SELECT version_number, schedule FROM airflow_pin.pin('preset', 1);
CALL lab.parse('preset', '0 0 1 1 *', '2027-01-01');
SELECT timetable_summary FROM dag WHERE dag_id = 'preset';
