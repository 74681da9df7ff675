-- resolve(), pins() with each name of drift, diff() and prune_decisions().
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- resolve() for each thing that can become of a run
CALL lab.two_versions('rewrite');
CALL lab.two_versions('reject');
CALL lab.two_versions('observe');
CALL lab.two_versions('matches');
CALL lab.two_versions('free');
CALL lab.two_versions('failed');
SELECT (airflow_pin.pin('rewrite', 1)).version_number, (airflow_pin.pin('reject', 1, 'reject')).version_number,
       (airflow_pin.pin('observe', 1, 'observe')).version_number, (airflow_pin.pin('matches', 2)).version_number,
       (airflow_pin.pin('failed', 1)).version_number;
CALL lab.unguarded($$DELETE FROM dag_version WHERE dag_id = 'failed' AND version_number = 1$$);
SELECT dag_id, r.version_number AS v, r.dag_version_id = lab.uuid(dag_id || r.version_number) AS id, r.bundle_version AS commit, action, reason
    FROM dag, airflow_pin.resolve(dag_id) r ORDER BY dag_id;

-- drift, each name alone where that can be
CALL lab.version('newer_version', 'a', ARRAY[lab.task('t')], '{"tags": ["x"]}');
SELECT version_number FROM airflow_pin.pin('newer_version');
CALL lab.version('newer_version', 'a', ARRAY[lab.task('t')], '{"tags": ["y"]}');
CALL lab.version('tasks_differ', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('tasks_differ');
CALL lab.version('tasks_differ', 'a', ARRAY[lab.task('t', '{"retries": 1}')]);
CALL lab.version('tasks_differ_by_default', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('tasks_differ_by_default');
CALL lab.version('tasks_differ_by_default', 'a', ARRAY[lab.task('t')]);
UPDATE serialized_dag SET data = data || '{"client_defaults": {"tasks": {"retries": 3}}}', dag_hash = 'other'
    WHERE dag_version_id = lab.uuid('tasks_differ_by_default2');
CALL lab.version('schedule_differs', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('schedule_differs');
CALL lab.version('schedule_differs', 'a', ARRAY[lab.task('t')], '{"timetable": {"__type": "Cron", "__var": {"expression": "@daily"}}}');
CALL lab.version('content_changed', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('content_changed');
CALL lab.unguarded($$SELECT lab.change_bodies('content_changed', 'b')$$);
CALL lab.version('content_overwritten', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('content_overwritten');
CALL lab.unguarded($$UPDATE serialized_dag SET dag_hash = 'other' WHERE dag_id = 'content_overwritten'$$);
CALL lab.version('version_missing', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('version_missing');
CALL lab.version('version_missing', 'a', ARRAY[lab.task('t')]);
CALL lab.unguarded($$DELETE FROM dag_version WHERE id = lab.uuid('version_missing1')$$);
CALL lab.version('dag_missing', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('dag_missing');
DELETE FROM dag WHERE dag_id = 'dag_missing';
CALL lab.two_versions('bundle_unversioned', 'local');
SELECT version_number FROM airflow_pin.pin('bundle_unversioned', 2, 'reject');
CALL lab.version('none', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('none', reason => 'release 7', expires_at => '2999-01-01 00:00+00');
-- one that cannot be compared does not hide the others
CALL lab.version('unreadable', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('unreadable');
CALL lab.version('unreadable', 'a', ARRAY[lab.task('t')]);
UPDATE serialized_dag SET data = NULL, data_compressed = 'garbage', dag_hash = 'other' WHERE dag_version_id = lab.uuid('unreadable2');
SELECT dag_id, pinned_version AS pinned, latest_version AS latest, versions_behind AS behind, drift FROM airflow_pin.pins()
    WHERE dag_id NOT IN ('rewrite', 'reject', 'observe', 'matches', 'failed');
SELECT on_mismatch, bundle_version, pinned_by = session_user AS by, pinned_at BETWEEN now() - interval '1 min' AND clock_timestamp() AS at,
       expires_at, reason FROM airflow_pin.pins() WHERE dag_id = 'none';

-- Why the next run would fail: drift has a name for each reason, and resolve() the words. A run is what they say.
CALL lab.version('bundle_moved', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('bundle_moved');
CALL lab.version('bundle_moved', 'b', ARRAY[lab.task('u')], bundle => 'renamed');
CALL lab.two_versions('hash_missing');
SELECT version_number FROM airflow_pin.pin('hash_missing', 1);
CALL lab.unguarded($$DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('hash_missing1')$$);
CALL lab.version('not_computable', 'a', ARRAY[lab.task('t', '{"weight_rule": "plugin.Rule"}')]);
CALL lab.version('not_computable', 'b', ARRAY[lab.task('u')]);
SELECT version_number FROM airflow_pin.pin('not_computable', 1);
CALL lab.two_versions('unknown_serializer');
SELECT version_number FROM airflow_pin.pin('unknown_serializer', 1);
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{__version}', '9') WHERE dag_version_id = lab.uuid('unknown_serializer1')$$);
CALL lab.two_versions('not_pinned_commit');
SELECT version_number FROM airflow_pin.pin('not_pinned_commit', 1);
UPDATE airflow_pin.pinned_version SET bundle_version = NULL WHERE dag_id = 'not_pinned_commit';
CALL lab.version('gate', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('gate', on_mismatch => 'reject', run_types => '{manual}');
CALL lab.unguarded($$UPDATE serialized_dag SET dag_hash = 'other' WHERE dag_id = 'gate'$$);
CALL lab.version('looked_at', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('looked_at', on_mismatch => 'observe');
CALL lab.unguarded($$UPDATE serialized_dag SET dag_hash = 'other' WHERE dag_id = 'looked_at'$$);
CREATE VIEW lab.failing AS SELECT p.dag_id, p.drift, p.drift && '{version_missing,changed_in_place,bundle_moved,not_computable}' AS drift_says,
    p.on_mismatch, CASE WHEN p.latest_version IS NOT NULL THEN
        (SELECT r.action FROM airflow_pin.resolve(p.dag_id, CASE p.dag_id WHEN 'gate' THEN 'manual' ELSE 'scheduled' END) r) END AS action
    FROM airflow_pin.pins() p;
SELECT dag_id, drift, action FROM lab.failing WHERE drift_says OR action = 'failed' ORDER BY dag_id COLLATE "C";
SELECT count(*) FILTER (WHERE drift_says IS DISTINCT FROM (action = 'failed')) AS disagree, count(*) > 15 AS many
    FROM lab.failing WHERE on_mismatch = 'rewrite' AND action IS NOT NULL;
-- And so it is with the runs: each of them is born failed, or fails when its task instances are made.
SET client_min_messages = error;
DO $$
DECLARE d text;
BEGIN
    FOR d IN SELECT dag_id FROM lab.failing WHERE action IS NOT NULL AND on_mismatch = 'rewrite' LOOP
        BEGIN
            PERFORM lab.create_run(d, 'next of ' || d);
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE '%: %', d, SQLERRM;
        END;
    END LOOP;
END $$;
RESET client_min_messages;
SELECT count(*) FILTER (WHERE (r.state = 'failed') IS DISTINCT FROM f.drift_says) AS disagree, count(*) FROM lab.failing f
    JOIN dag_run r ON r.run_id = 'next of ' || f.dag_id;
DELETE FROM dag_run;
DELETE FROM airflow_pin.run_decision;

-- The order of tasks in the file is no difference, neither for Airflow's hash nor for diff(); a tag is none of tasks.
CALL lab.version('order', 'a', ARRAY[lab.task('t'), lab.task('u'), lab.task('v')], '{"tags": ["x"]}');
SELECT version_number FROM airflow_pin.pin('order');
CALL lab.version('order', 'b', ARRAY[lab.task('v'), lab.task('t'), lab.task('u')], '{"tags": ["x", "y"]}');
SELECT drift FROM airflow_pin.pins() WHERE dag_id = 'order';
SELECT kind, item FROM airflow_pin.diff('order', 1, 2);
CALL lab.version('order', 'b', ARRAY[lab.task('v'), lab.task('t'), lab.task('w')], '{"tags": ["x"]}');
SELECT drift FROM airflow_pin.pins() WHERE dag_id = 'order';
CALL lab.version('order', 'b', ARRAY[lab.task('v'), lab.task('t')], '{"tags": ["x"]}');
SELECT drift FROM airflow_pin.pins() WHERE dag_id = 'order';

-- Without Airflow's tables, or with one of them that is not understood, the pins are told all the same.
BEGIN;
ALTER TABLE serialized_dag RENAME TO elsewhere;
SELECT count(*), count(latest_version), drift FROM airflow_pin.pins() GROUP BY drift;
ROLLBACK;
BEGIN;
ALTER TABLE dag_version RENAME version_number TO renamed;
SELECT count(*), count(latest_version), drift FROM airflow_pin.pins() GROUP BY drift;
ROLLBACK;
BEGIN;
SET LOCAL airflow_pin.airflow_schema = 'nowhere';
SELECT count(*), count(latest_version), drift FROM airflow_pin.pins() GROUP BY drift;
ROLLBACK;

-- diff(): tasks added, removed, changed field by field; schedule; settings; defaults of tasks
CALL lab.version('diff', 'a', ARRAY[lab.task('same'), lab.task('removed'),
    lab.task('changed', '{"retries": 1, "pool": "gone", "queue": "same", "nested": {"a": [1]}}')],
    '{"tags": ["old"], "catchup": true, "end_date": 1}');
CALL lab.version('diff', 'b', ARRAY[lab.task('added'), lab.task('same'),
    lab.task('changed', '{"retries": 2, "pool_slots": 3, "queue": "same", "nested": {"a": [1, 2]}}')],
    '{"tags": ["new"], "catchup": true, "start_date": 2, "timetable": {"__type": "Delta", "__var": {"delta": 60}}}');
UPDATE serialized_dag SET data = data || '{"client_defaults": {"tasks": {"retries": 3}}}' WHERE dag_version_id = lab.uuid('diff2');
SELECT kind, item, from_value, to_value FROM airflow_pin.diff('diff', 1, 2);
-- the other way round it is the mirror image
SELECT count(*), count(b.item) FROM airflow_pin.diff('diff', 1, 2) a LEFT JOIN airflow_pin.diff('diff', 2, 1) b
    ON a.item = b.item AND a.from_value IS NOT DISTINCT FROM b.to_value AND a.to_value IS NOT DISTINCT FROM b.from_value
    AND replace(replace(replace(a.kind, 'added', 'x'), 'removed', 'added'), 'x', 'removed') = b.kind;
SELECT count(*) FROM airflow_pin.diff('diff', 1, 1);
SELECT count(*) FROM airflow_pin.diff('diff', NULL, 1);
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('diff1');
SELECT airflow_pin.diff('diff', 1, 2);
\echo :SQLSTATE

-- prune_decisions() removes what is older
CALL lab.run('rewrite', 'r1');
CALL lab.run('rewrite', 'r2');
CALL lab.run('rewrite', 'r3');
UPDATE airflow_pin.run_decision SET decided_at = now() - interval '91 days' WHERE run_id = 'r1';
UPDATE airflow_pin.run_decision SET decided_at = now() - interval '89 days' WHERE run_id = 'r2';
SELECT airflow_pin.prune_decisions();
SELECT run_id FROM lab.decisions;
SELECT airflow_pin.prune_decisions('1 day');
SELECT airflow_pin.prune_decisions('0');
SELECT count(*) FROM airflow_pin.run_decision;
-- What one side lacks differs; with no hash there is nothing to compare.
BEGIN;
CALL lab.version('grouped', 'a', ARRAY[lab.task('t')], '{"task_group": {"children": {}}}');
SELECT version_number FROM airflow_pin.pin('grouped');
CALL lab.version('grouped', 'a', ARRAY[lab.task('t')]);
CALL lab.version('hashless', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('hashless');
CALL lab.version('hashless', 'b', ARRAY[lab.task('t'), lab.task('u')]);
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('hashless2');
DELETE FROM dag_code WHERE dag_version_id = lab.uuid('hashless2');
SELECT dag_id, drift FROM airflow_pin.pins() WHERE dag_id IN ('grouped', 'hashless');
ROLLBACK;
