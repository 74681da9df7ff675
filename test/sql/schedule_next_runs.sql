-- next_runs(): when a version would run, as Airflow's own timetables give it. What each timetable gives, moment by
-- moment, is compared with Airflow in test/airflow/schedule.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

-- A version with a timetable of that class, and with more in its DAG.
CREATE PROCEDURE lab.schedule(dag text, class text, arguments jsonb, more jsonb DEFAULT '{}') LANGUAGE sql AS $$
    SELECT lab.add_version(dag, 'c' || count(*) + 1, ARRAY[lab.task('a')],
        jsonb_build_object('timetable',
            jsonb_build_object('__type', 'airflow.timetables.' || class, '__var', arguments)) || more)
    FROM dag_version v WHERE v.dag_id = dag $$;
-- An automated run with that data interval.
CREATE PROCEDURE lab.ran(dag text, start timestamptz, "end" timestamptz, type text DEFAULT 'scheduled') LANGUAGE sql AS $$
    INSERT INTO dag_run (dag_id, run_id, run_type, logical_date, data_interval_start, data_interval_end, run_after)
    VALUES (dag, 'ran_' || type || start, type, start, start, "end", "end") $$;

CALL lab.schedule('d', 'interval.CronDataIntervalTimetable', '{"expression": "30 2 * * *", "timezone": "Europe/Zurich"}',
                  '{"catchup": true, "start_date": 1735689600.0}');
CALL lab.schedule('d', 'trigger.CronTriggerTimetable',
                  '{"expression": "0 12 * * 1#1", "timezone": 19800, "interval": 3600.0, "run_immediately": false}',
                  '{"catchup": true, "start_date": 1735689600.0, "end_date": 1750000000.0}');
\set ECHO all

-- The hour that is missing, and the one that comes twice, in Zurich
SELECT * FROM airflow_pin.next_runs('d', 1, 3, '2026-03-28 00:00+00');
SELECT * FROM airflow_pin.next_runs('d', 1, 3, '2026-10-24 00:00+00');
-- The latest version, from its start date to its end date
SELECT * FROM airflow_pin.next_runs('d', count => 10);
-- after: what is due later; exactly then is not later
SELECT run_after FROM airflow_pin.next_runs('d', 2, 2, '2025-03-03 06:30+00');
SELECT run_after FROM airflow_pin.next_runs('d', 2, 2, '2025-03-03 06:29:59.999999+00');
-- The version of the pin in force
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT run_after FROM airflow_pin.next_runs('d', count => 2);
-- After the newest automated run; one that somebody triggered is none
CALL lab.ran('d', '2025-06-01 00:30+00', '2025-06-02 00:30+00');
CALL lab.ran('d', '2025-08-01 00:30+00', '2025-08-02 00:30+00', 'backfill');
CALL lab.ran('d', '2025-09-01 00:30+00', '2025-09-02 00:30+00', 'manual');
SELECT logical_date, run_after FROM airflow_pin.next_runs('d', count => 2);
-- A run that began under Airflow 2.1 has no data interval
UPDATE dag_run SET data_interval_start = NULL, data_interval_end = NULL;
SELECT logical_date, run_after FROM airflow_pin.next_runs('d', count => 2);

-- A delta counts from the last run, and "after" only passes over what is due before
CALL lab.schedule('delta', 'interval.DeltaDataIntervalTimetable', '{"delta": {"months": 1, "hours": 1}}',
                  '{"catchup": true, "start_date": 1735689600.0}');
CALL lab.ran('delta', '2025-12-31', '2026-01-31 01:00+00');
SELECT logical_date, run_after FROM airflow_pin.next_runs('delta', count => 3);
SELECT logical_date, run_after FROM airflow_pin.next_runs('delta', count => 1, after => '2026-05-01');
SELECT logical_date, run_after FROM airflow_pin.next_runs('delta', count => 1, after => '2020-01-01');
CALL lab.schedule('delta', 'trigger.DeltaTriggerTimetable', '{"delta": 90.5, "interval": {"days": 1}}',
                  '{"catchup": true, "start_date": 1735689600.0}');
SELECT * FROM airflow_pin.next_runs('delta', count => 2);
CALL lab.schedule('delta', 'trigger.DeltaTriggerTimetable', '{"delta": 0.000001, "interval": 0}', '{"catchup": true}');
SELECT * FROM airflow_pin.next_runs('delta', 3, 1, '2026-05-01');
\echo :SQLSTATE

-- Several expressions: whichever comes first, at one moment once
CALL lab.schedule('multiple', 'trigger.MultipleCronTriggerTimetable',
                  '{"expressions": ["@daily", "0 */12 * * *", "45 23 * * *"], "timezone": "UTC", "interval": 0.0,
                    "run_immediately": 300.0}', '{"catchup": true}');
SELECT logical_date, run_after FROM airflow_pin.next_runs('multiple', 1, 4, '2026-01-01 12:00+00');

-- Once, continuously and never
CALL lab.schedule('simple', 'simple.OnceTimetable', '{}', '{"start_date": 1735689600.0}');
CALL lab.schedule('simple', 'simple.NullTimetable', '{}');
CALL lab.schedule('simple', 'simple.ContinuousTimetable', '{}', '{"start_date": 1735689600.0}');
SELECT * FROM airflow_pin.next_runs('simple', 1);
SELECT * FROM airflow_pin.next_runs('simple', 2);
SELECT logical_date, run_after BETWEEN now() AND clock_timestamp() AS "now" FROM airflow_pin.next_runs('simple', 3);
CALL lab.ran('simple', '2026-01-01', '2026-01-01 00:07+00');
SELECT * FROM airflow_pin.next_runs('simple', 1);
SELECT logical_date, run_after BETWEEN now() AND clock_timestamp() AS "now" FROM airflow_pin.next_runs('simple', 3);

-- Where Airflow logs an error and makes no run, so is it here; a day that never comes does not keep anybody busy
CALL lab.schedule('none', 'interval.CronDataIntervalTimetable', '{"expression": "0 0 30 2 *", "timezone": "UTC"}');
SELECT * FROM airflow_pin.next_runs('none', 1);
CALL lab.schedule('none', 'interval.CronDataIntervalTimetable', '{"expression": "0 0 1 1 * 0 2030", "timezone": "UTC"}');
SELECT * FROM airflow_pin.next_runs('none', 2, 5, '2028-01-01');
CALL lab.schedule('none', 'interval.CronDataIntervalTimetable', '{"expression": "0 0 1 1 *", "timezone": "UTC"}', '{"catchup": true}');
SELECT * FROM airflow_pin.next_runs('none', 3, 5, '9998-06-01');

-- Arguments
SELECT * FROM airflow_pin.next_runs('d', 99);
\echo :SQLSTATE
SELECT * FROM airflow_pin.next_runs('nobody');
\echo :SQLSTATE
SELECT * FROM airflow_pin.next_runs(NULL);
\echo :SQLSTATE
SELECT * FROM airflow_pin.next_runs('d', count => NULL);
\echo :SQLSTATE
SELECT * FROM airflow_pin.next_runs('d', count => 0);
\echo :SQLSTATE
SELECT * FROM airflow_pin.next_runs('d', count => 10001);
\echo :SQLSTATE
SELECT * FROM airflow_pin.next_runs('d', 1, 1, 'infinity');
\echo :SQLSTATE
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('multiple1');
SELECT * FROM airflow_pin.next_runs('multiple');
\echo :SQLSTATE

-- A schedule with which Airflow stops, 3.3 with an error: every hour of some days, over a change of the clocks
CALL lab.schedule('stops', 'interval.CronDataIntervalTimetable', '{"expression": "0 * 6 2-6 *", "timezone": "Europe/London"}',
                  '{"catchup": true}');
SELECT logical_date, run_after FROM airflow_pin.next_runs('stops', 1, 4, '2026-06-06 22:30+00');
ALTER TABLE dag_version DROP COLUMN version_data;
SELECT logical_date, run_after FROM airflow_pin.next_runs('stops', 1, 4, '2026-06-06 22:30+00');
