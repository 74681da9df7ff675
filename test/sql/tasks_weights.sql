-- Priority weights under each weight rule, and what happens where a weight cannot be computed.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- A diamond with a tail: a -> b, c -> d -> e. Own weights 1, 2, 30, 400, 5000 show what was added up.
CREATE FUNCTION lab.diamond(rule text) RETURNS jsonb[] LANGUAGE sql AS $$
    SELECT ARRAY[
        lab.task('a', jsonb_build_object('weight_rule', rule, 'priority_weight', 1, 'downstream_task_ids', '["b", "c"]'::jsonb)),
        lab.task('b', jsonb_build_object('weight_rule', rule, 'priority_weight', 2, 'downstream_task_ids', '["d"]'::jsonb)),
        lab.task('c', jsonb_build_object('weight_rule', rule, 'priority_weight', 30, 'downstream_task_ids', '["d"]'::jsonb)),
        lab.task('d', jsonb_build_object('weight_rule', rule, 'priority_weight', 400, 'downstream_task_ids', '["e"]'::jsonb)),
        lab.task('e', jsonb_build_object('weight_rule', rule, 'priority_weight', 5000))] $$;
SELECT rule, lab.add_version(rule, 'a', lab.diamond(rule)), lab.add_version(rule, 'b', ARRAY[lab.task('a')])
    FROM unnest(ARRAY['downstream', 'upstream', 'absolute',
                      'airflow.task.priority_strategy._DownstreamPriorityWeightStrategy',
                      'airflow.task.priority_strategy._UpstreamPriorityWeightStrategy',
                      'airflow.task.priority_strategy._AbsolutePriorityWeightStrategy']) rule;
SELECT dag_id, (airflow_pin.pin(dag_id, 1)).version_number FROM dag ORDER BY dag_id COLLATE "C";
DO $$ BEGIN PERFORM lab.create_run(dag_id, dag_id) FROM dag; END $$;
SELECT run_id, string_agg(format('%s=%s', task_id, weight), ' ' ORDER BY task_id) AS weights
    FROM lab.tasks GROUP BY run_id ORDER BY run_id COLLATE "C";

-- The default rule is downstream, and each task has its own rule.
CALL lab.version('mixed', 'a', ARRAY[
    lab.task('up', '{"weight_rule": "upstream", "downstream_task_ids": ["down"]}'),
    lab.task('down', '{"downstream_task_ids": ["alone"], "priority_weight": 10}'),
    lab.task('alone', '{"weight_rule": "absolute", "priority_weight": -100}')]);
CALL lab.version('mixed', 'b', ARRAY[lab.task('up')]);
SELECT version_number FROM airflow_pin.pin('mixed', 1);
CALL lab.run('mixed', 'mixed_1');
SELECT task_id, weight FROM lab.tasks WHERE run_id = 'mixed_1' ORDER BY task_id;

-- A sum beyond the column: Airflow could not create that run either.
CALL lab.version('heavy', 'a', ARRAY[
    lab.task('a', '{"priority_weight": 2147483647, "downstream_task_ids": ["b"]}'), lab.task('b')]);
CALL lab.version('heavy', 'b', ARRAY[lab.task('a')]);
SELECT airflow_pin.pin('heavy', 1);
\echo :SQLSTATE

-- A plugin's rule cannot be computed here. Without a run of Airflow's own, pin() warns, ...
CALL lab.version('plugin', 'a', ARRAY[
    lab.task('own_rule', '{"weight_rule": "my_plugin.Strategy"}'), lab.task('other')]);
CALL lab.version('plugin', 'b', ARRAY[lab.task('own_rule')]);
SELECT version_number FROM airflow_pin.pin('plugin', 1);
-- ... resolve() says so, and a run is recorded as failed, of the version that Airflow asked for.
SELECT action FROM airflow_pin.resolve('plugin');
CALL lab.run('plugin', 'plugin_1');
CALL lab.run('plugin', 'plugin_2', 'manual');
SELECT * FROM lab.runs WHERE dag_id = 'plugin' ORDER BY run_id;
SELECT run_id, task_id, version, state FROM lab.tasks WHERE run_id LIKE 'plugin%' ORDER BY run_id;
SELECT * FROM lab.decisions WHERE run_id LIKE 'plugin%';

-- Once Airflow itself has created a run of that version, its weights are known.
SELECT version_number FROM airflow_pin.unpin('plugin');
CALL lab.version('plugin2', 'a', ARRAY[
    lab.task('own_rule', '{"weight_rule": "my_plugin.Strategy", "priority_weight": 3}'), lab.task('other')]);
CALL lab.run('plugin2', 'by_airflow');
UPDATE task_instance SET priority_weight = 77 WHERE run_id = 'by_airflow' AND task_id = 'own_rule';
-- (Not by a task instance that was tried again: that may have changed it.)
CALL lab.run('plugin2', 'tried_again');
UPDATE task_instance SET priority_weight = 99, try_number = 2 WHERE run_id = 'tried_again' AND task_id = 'own_rule';
CALL lab.version('plugin2', 'b', ARRAY[lab.task('own_rule'), lab.task('other')]);
SELECT version_number FROM airflow_pin.pin('plugin2', 1);
SELECT action FROM airflow_pin.resolve('plugin2');
CALL lab.run('plugin2', 'like_airflow');
SELECT task_id, version, weight FROM lab.tasks WHERE run_id = 'like_airflow' ORDER BY task_id;
SELECT action FROM lab.decisions WHERE run_id = 'like_airflow';

-- Runs that do not agree tell nothing: mapped task instances may have weights of their own.
UPDATE task_instance SET priority_weight = 78 WHERE run_id = 'like_airflow' AND task_id = 'own_rule';
CALL lab.run('plugin2', 'ambiguous');
SELECT state, version, commit FROM lab.runs WHERE run_id = 'ambiguous';
SELECT action, detail FROM lab.decisions WHERE run_id = 'ambiguous';
-- Runs of another DAG in the same transaction tell nothing either.
BEGIN;
CALL lab.run('mixed', 'together');
CALL lab.run('plugin2', 'together');
COMMIT;
SELECT dag_id, state, version FROM lab.runs WHERE run_id = 'together' ORDER BY 1;
