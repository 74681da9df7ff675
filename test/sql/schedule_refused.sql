-- Schedules that cannot be computed here, and serialized DAGs of odd and hostile content: each is refused with the reason,
-- and none takes long, much memory, or the server.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

SELECT lab.add_version('d', 'c1', ARRAY[lab.task('a')]) \g /dev/null
INSERT INTO dag_run (dag_id, run_id, run_type, logical_date, data_interval_start, data_interval_end)
    VALUES ('d', 'r', 'scheduled', '2025-12-31', '2025-12-31', '2026-01-01');
-- Why version 1 with that content has no next runs; or else the first, as of that moment.
CREATE FUNCTION lab.answer(content jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; detail text; run record;
BEGIN
    UPDATE serialized_dag SET data = content;
    SELECT * INTO run FROM airflow_pin.next_runs('d', 1, 1, '2026-01-01 12:34:56');
    RETURN coalesce(run.data_interval_start || ' to ' || run.data_interval_end, 'none');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
    RETURN state || ' ' || detail;
END $$;
CREATE FUNCTION lab.timetable(class text, arguments jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('__version', 3, 'dag', jsonb_build_object('tasks', '[]'::jsonb, 'catchup', true,
        'timetable', jsonb_build_object('__type', 'airflow.timetables.' || class, '__var', arguments))) $$;
CREATE FUNCTION lab.cron(expression text, zone jsonb DEFAULT '"UTC"') RETURNS text LANGUAGE sql AS $$
    SELECT lab.answer(lab.timetable('interval.CronDataIntervalTimetable',
                                    jsonb_build_object('expression', expression, 'timezone', zone))) $$;
CREATE FUNCTION lab.every(delta jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT lab.answer(lab.timetable('trigger.DeltaTriggerTimetable', jsonb_build_object('delta', delta, 'interval', 0))) $$;
CREATE FUNCTION lab.with(more jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT lab.answer(jsonb_set(c, '{dag}', c->'dag' || more))
    FROM lab.timetable('interval.CronDataIntervalTimetable', '{"expression": "0 0 * * *", "timezone": "UTC"}') c $$;
\set ECHO queries
\t on

-- What depends on more than time, or is not Airflow's
SELECT lab.answer(lab.timetable(c, '{}')) FROM unnest('{simple.AssetTriggeredTimetable, simple.DatasetTriggeredTimetable,
    assets.AssetOrTimeSchedule, datasets.DatasetOrTimeSchedule, simple.PartitionedAssetTimetable,
    simple.PartitionedAtRuntime, trigger.CronPartitionTimetable, events.EventsTimetable, lunar.MoonTimetable}'::text[]) c;
SELECT lab.answer('{"__version": 3, "dag": {"timetable": {"__type": "company.plugins.Timetable", "__var": {}}}}');
SELECT lab.answer(jsonb_build_object('__version', 3, 'dag', jsonb_build_object('timetable',
    jsonb_build_object('__type', repeat('é', 1000)))));

-- No serialized DAG that is known
SELECT lab.answer(c) FROM unnest(ARRAY['{}', '[]', 'true', '{"__version": 4, "dag": {}}', '{"__version": "3", "dag": {}}',
    '{"__version": 1e400, "dag": {}}', '{"__version": 3}', '{"__version": 3, "dag": []}', '{"__version": 3, "dag": {}}',
    '{"__version": 3, "dag": {"timetable": {"__type": 7}}}', '{"__version": 3, "dag": {"timetable": []}}']::jsonb[]) c;

-- Cron expressions: as croniter, from here on what it accepts, ...
SELECT c, lab.cron(c) FROM unnest('{@daily,@DAILY,@midnight,@quarterly,0 0 L * *,0 9 * * mon#1,0 9 * * L5,0 0 31W * *,
    0 0 ? * ?,59/15 * * * *,0 0 * nov-feb *,0 0 5-0 * *,0 0 13 * fri,* * * * * */20,0 0 29 2 * 0 2028}'::text[]) c;
SELECT lab.cron(E'\t0\f0 \x0B* *\n*\r');
-- ... what it does not, and what is of chance
SELECT lab.cron(c) FROM unnest(ARRAY['', ' ', '* * * *', '* * * * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *',
    '* * * 13 *', '* * * 0 *', '* * * * 8', '*/0 * * * *', '*/-1 * * * *', '1- * * * *', '-1 * * * *', '1,,2 * * * *',
    '1-2-3 * * * *', '1/2/3 * * * *', '? * * * *', '* * ?, * *', 'mon * * * *', '* * * mon *', '* * 1,15w * *', '* * 0w * *',
    '* * * * 1#0', '* * * * 1#6', '* * * * #1', '* * * * *#1', '* * * * 1-5#2', '* * * * mon-5#2', '* * * * 1,2#1', '* * * * l8',
    '* * l-3 * *', '* * * * l', '@reboot', '* * * * * * 1969', '* * * * * * 1960-1950/200', '٣ * * * *', 'h * * * *',
    'r * * * *', '* R(1-5)/2 * * *', '99999999999999999999 * * * *', '*/99999999999999999999 * * * * 61']) c;
SELECT lab.cron(repeat('1,', 5000) || '1 * * * *');
SELECT lab.cron(repeat('0-59/1,', 500) || '1 * * * *');
SELECT lab.cron(c) FROM unnest(ARRAY['0 0 30 2 *', '0 0 31 2,4 *', '0 0 29 2 mon#5', '* * * * * * 1970', '0 0 31 2 1#5']) c;
SELECT lab.answer(lab.timetable('interval.CronDataIntervalTimetable', a)) FROM unnest(ARRAY['{"timezone": "UTC"}',
    '{"timezone": "UTC", "expression": 5}', '[]', 'null', '{"timezone": "UTC", "expression": null}']::jsonb[]) a;

-- Several
SELECT lab.answer(lab.timetable('trigger.MultipleCronTriggerTimetable', '{"timezone": "UTC", "interval": 0}' || e))
    FROM unnest(ARRAY['{"expressions": []}', '{"expressions": {}}', '{"expressions": "0 0 * * *"}', '{"expressions": ["x"]}',
    '{"expressions": ["0 0 * * *", 7]}', '{"expressions": ["0 0 * * *"], "run_immediately": "soon"}',
    '{"expressions": ["0 0 * * *"], "run_immediately": 1e300}', '{"expressions": ["0 0 30 2 *", "0 0 * * *"]}',
    '{"expressions": ["0 0 * * *"], "run_immediately": 99999999999999.5}']::jsonb[]) e;
SELECT lab.answer(lab.timetable('trigger.MultipleCronTriggerTimetable', jsonb_build_object('timezone', 'UTC'::text, 'interval', 0,
    'expressions', (SELECT jsonb_agg('0 0 * * *'::text) FROM generate_series(1, 1001)))));

-- Time zones
SELECT z, lab.cron('0 3 * * *', z) FROM unnest(ARRAY['"europe/zurich"', '"utc"', '"Etc/GMT-14"', '"EST5EDT"', '-1', '86399', '0']::jsonb[]) z;
SELECT lab.cron('0 3 * * *', z) FROM unnest(ARRAY['"Mars/Olympus"', '"FOO+5"', '"<x>5"', '""', '"../../etc/passwd"', '"CET-1CEST,M3.5.0"',
    '86400', '-86400', '3600.0', '1e400', 'null', '[]', 'true']::jsonb[]) z;
SELECT lab.cron('0 3 * * *', to_jsonb(repeat('Z', 1000)));

-- Durations
SELECT d, lab.every(d) FROM unnest(ARRAY['60', '0.000001', '{"days": 1.5}', '{"months": 14, "day": 31}', '{"hours": 49, "minutes": -61}',
    '{"months": 1, "weekday": [4, -1], "hour": 0}', '{"days": 1, "weekday": [0]}', '{"years": 4, "leapdays": -1}']::jsonb[]) d;
SELECT lab.every(d) FROM unnest(ARRAY['null', '"60"', 'true', '[]', '1e400', '-1e400', '1e300', '{"fortnights": 1}', '{"days": "1"}', '{"days": 1e9}',
    '{"years": 1.5}', '{"month": 1.5}', '{"hour": -1}', '{"weekday": []}', '{"weekday": 4}', '{"weekday": [7]}', '{"weekday": [1, 0]}',
    '{"weekday": [1, 1e9]}', '{"weekday": ["fri"]}', '{"weekday": [1, 2, 3]}', '{"days": 999999999, "hours": 999999999}']::jsonb[]) d;
-- Airflow fails at each of these when it is asked for a run
SET client_min_messages = notice;
SELECT lab.every(d) FROM unnest(ARRAY['{"hour": 24}', '{"month": 13}', '{"years": 8000}', '{"months": -99999}', '{"year": 10000}', '{"days": 9999999}',
    '863913600000', '-99999999999', '{"years": 7974, "weekday": [0, 99]}']::jsonb[]) d;
SELECT lab.answer(jsonb_set(lab.timetable('interval.DeltaDataIntervalTimetable', jsonb_build_object('delta', d)), '{dag,catchup}', 'false'))
    FROM unnest(ARRAY['{"day": 1}', '0', '{"months": 1, "days": -31}']::jsonb[]) d;
SET client_min_messages = warning;

-- Dates, tasks, limits
SELECT lab.with(m) FROM unnest(ARRAY['{"start_date": null}', '{"start_date": 4000000000}', '{"end_date": 1000000000}', '{"start_date": "2026-01-01"}',
    '{"end_date": 1e20}', '{"start_date": -99999999999999}', '{"tasks": null}', '{"tasks": {}}', '{"tasks": [null]}', '{"tasks": [{"__var": []}]}',
    '{"tasks": [{"__var": {"start_date": {}}}]}', '{"tasks": [{"__var": {"end_date": 1000000000}}]}', '{"catchup": "yes"}',
    '{"tasks": [{"__var": {"end_date": 1000000000}}, {"__var": {}}]}', '{"max_active_runs": 1e400, "fail_fast": [], "allowed_run_types": {}}']::jsonb[]) m;
