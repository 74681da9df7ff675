-- Tasks whose start or end date excludes the run get no task instance, as Airflow has it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- Dates are seconds since 1970: task "later" starts at 2026-01-10, "ended" ends at 2026-01-05; "own"
-- overrules the DAG's end date of 2026-01-20.
SELECT extract(epoch FROM timestamptz '2026-01-10 00:00+00') AS d10, extract(epoch FROM timestamptz '2026-01-05 00:00+00') AS d5,
       extract(epoch FROM timestamptz '2026-01-20 00:00+00') AS d20, extract(epoch FROM timestamptz '2026-02-01 00:00+00') AS feb \gset
CALL lab.version('d', 'a', ARRAY[
    lab.task('always'), lab.task('later', jsonb_build_object('start_date', :d10)),
    lab.task('ended', jsonb_build_object('end_date', :d5)),
    lab.task('own', jsonb_build_object('end_date', :feb))],
    jsonb_build_object('end_date', :d20));
CALL lab.version('d', 'b', ARRAY[lab.task('always')]);
SELECT version_number FROM airflow_pin.pin('d', 1);

CALL lab.run('d', '01', at => '2026-01-01 00:00+00');
CALL lab.run('d', '05 the end itself', at => '2026-01-05 00:00+00');
CALL lab.run('d', '05 a moment later', at => '2026-01-05 00:00:00.000001+00');
CALL lab.run('d', '09', at => '2026-01-09 23:59:59.999999+00');
CALL lab.run('d', '10 the start itself', at => '2026-01-10 00:00+00');
CALL lab.run('d', '25', at => '2026-01-25 00:00+00');
CALL lab.run('d', 'after all', at => '2027-01-01 00:00+00');
CALL lab.run('d', 'no logical date');
CALL lab.run('d', 'backfill', 'backfill', at => '2026-03-01 00:00+00');
SELECT r.run_id, string_agg(task_id, ' ' ORDER BY task_id) AS tasks
    FROM dag_run r LEFT JOIN task_instance t USING (dag_id, run_id) GROUP BY r.run_id ORDER BY r.run_id;

-- A task that does not run still counts in the weight of those before it.
CALL lab.version('w', 'a', ARRAY[
    lab.task('first', '{"downstream_task_ids": ["later"]}'),
    lab.task('later', jsonb_build_object('priority_weight', 10, 'start_date', :d10))]);
CALL lab.version('w', 'b', ARRAY[lab.task('first')]);
SELECT version_number FROM airflow_pin.pin('w', 1);
CALL lab.run('w', 'w1', at => '2026-01-01 00:00+00');
SELECT task_id, weight FROM lab.tasks WHERE run_id = 'w1';

-- A date that is no number is never guessed.
CALL lab.version('odd', 'a', ARRAY[lab.task('t', '{"start_date": "2026-01-01"}')]);
CALL lab.version('odd', 'b', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('odd', 1);
CALL lab.run('odd', 'odd_1', at => '2026-01-01 00:00+00');
SELECT state, version FROM lab.runs WHERE run_id = 'odd_1';
SELECT action, detail FROM lab.decisions WHERE run_id = 'odd_1';
