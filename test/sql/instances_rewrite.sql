-- A run of a pinned DAG is created with the pinned version, its commit and exactly its task instances.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- Version 1 and version 2 differ in every column that follows from the DAG. Task "load" is the same
-- in both but for its retries; "only_1" and "only_2" are in one of them.
CALL lab.commit('d', 'a',
    lab.task('extract', '{"retries": 2, "pool": "pool_1", "pool_slots": 3, "queue": "queue_1",
             "priority_weight": 5, "weight_rule": "absolute", "executor": "CeleryExecutor",
             "_operator_name": "@task", "task_display_name": "Extract one"}'),
    lab.task('load'),
    lab.task('only_1', '{"retries": 1, "queue": "queue_1", "task_type": "BashOperator"}'),
    lab.task('too_1', '{"retries": 1, "queue": "queue_1", "task_type": "BashOperator"}'));
CALL lab.commit('d', 'b',
    lab.task('extract', '{"retries": 7, "pool": "pool_2", "pool_slots": 9, "queue": "queue_2",
             "priority_weight": 8, "task_type": "EmptyOperator"}'),
    lab.task('load', '{"retries": 4}'),
    lab.task('only_2'));
SELECT * FROM airflow_pin.pin('d', 1) AS p (dag_id) \gset pin_
\echo :pin_version_number :pin_bundle_version :pin_on_mismatch

-- What is there before the commit is kept aside, to compare with what is there after it: "only_2" has become "only_1",
-- and "too_1" is missing.
BEGIN;
CALL lab.run('d', 'scheduled_1');
CREATE TEMP TABLE before AS SELECT * FROM task_instance WHERE run_id = 'scheduled_1';
SELECT task_id, pool, max_tries FROM before ORDER BY task_id;
COMMIT;

SELECT * FROM lab.runs;
SELECT * FROM lab.tasks ORDER BY task_id;
SELECT task_id, task_display_name, custom_operator_name, executor, executor_config, state
    FROM task_instance ORDER BY task_id;
SELECT * FROM lab.decisions;

-- Rows keep their id and what Airflow set from outside the DAG. The row that was missing gets
-- a UUID of version 7, the run's trace with a span of its own, and the rest from its neighbours.
SELECT t.task_id, t.id = b.id AS same_id, t.context_carrier = b.context_carrier AS same_carrier
    FROM task_instance t LEFT JOIN before b USING (task_id) ORDER BY task_id;
SELECT substr(id::text, 15, 1) AS uuid_version, substr(id::text, 20, 1) IN ('8', '9', 'a', 'b') AS variant,
       ('x' || replace(substr(id::text, 1, 13), '-', ''))::bit(48)::bigint / 1000
           BETWEEN extract(epoch FROM now()) - 3600 AND extract(epoch FROM now()) + 60 AS is_now
    FROM task_instance WHERE task_id = 'too_1';
SELECT count(DISTINCT split_part(context_carrier ->> 'traceparent', '-', 2)) AS traces,
       count(DISTINCT split_part(context_carrier ->> 'traceparent', '-', 3)) AS spans,
       array_agg(DISTINCT length(context_carrier ->> 'traceparent')) AS lengths,
       array_agg(DISTINCT unixname) AS unixnames, array_agg(DISTINCT hostname) AS hostnames,
       array_agg(DISTINCT try_number) AS try_numbers, array_agg(DISTINCT span_status) AS span_status,
       bool_and(updated_at IS NOT NULL) AS updated
    FROM task_instance;

-- A run of the pinned version and commit is left alone: nothing is decided about it.
SELECT version_number FROM airflow_pin.pin('d');
CALL lab.run('d', 'as_pinned');
SELECT * FROM lab.runs WHERE run_id = 'as_pinned';
SELECT task_id, version FROM lab.tasks WHERE run_id = 'as_pinned' ORDER BY task_id;
SELECT count(*) FROM airflow_pin.run_decision WHERE run_id = 'as_pinned';

-- A task_instance_mutation_hook changed "load" and "extract" before the insert. Where the versions
-- agree on a column the hook's value stays; where they differ, the pinned version's counts.
SELECT version_number FROM airflow_pin.pin('d', 1);
BEGIN;
CALL lab.run('d', 'hooked');
UPDATE task_instance SET queue = 'hook', pool = 'hook', max_tries = 99 WHERE run_id = 'hooked';
COMMIT;
SELECT task_id, queue, pool, max_tries FROM lab.tasks WHERE run_id = 'hooked' ORDER BY task_id;

-- With such a hook Airflow leaves task_display_name empty in every row: then it stays empty. Where it is empty in one
-- row only, it is set.
CREATE FUNCTION lab.hook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.run_id = 'no_names' OR new.task_id = 'extract' THEN new.task_display_name := NULL; END IF;
    RETURN new;
END $$;
CREATE TRIGGER a_hook BEFORE INSERT ON task_instance FOR EACH ROW EXECUTE FUNCTION lab.hook();
CALL lab.run('d', 'no_names');
CALL lab.run('d', 'one_name');
DROP TRIGGER a_hook ON task_instance;
SELECT task_id, task_display_name, version_number FROM task_instance t
    JOIN dag_version v ON v.id = dag_version_id WHERE run_id = 'no_names' ORDER BY task_id;
SELECT task_id, task_display_name FROM task_instance WHERE run_id = 'one_name' ORDER BY task_id;

-- Every run type is held, also one of a future Airflow.
CALL lab.run('d', 'type_manual', 'manual');
CALL lab.run('d', 'type_backfill', 'backfill');
CALL lab.run('d', 'type_asset_triggered', 'asset_triggered');
CALL lab.run('d', 'type_operator_triggered', 'operator_triggered');
CALL lab.run('d', 'type_asset_materialization', 'asset_materialization');
CALL lab.run('d', 'type_of_the_future', 'of_the_future');
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id LIKE 'type%' ORDER BY run_id;
SELECT run_id, string_agg(task_id || ':' || version, ' ' ORDER BY task_id) AS tasks
    FROM lab.tasks WHERE run_id LIKE 'type%' GROUP BY run_id ORDER BY run_id;

-- The latest version has no task at all: there is no row to take anything from.
CALL lab.commit('d', 'c', VARIADIC '{}');
CALL lab.run('d', 'from_nothing');
SELECT task_id, version, pool, pool_slots, queue, max_tries, weight, operator, state FROM lab.tasks
    WHERE run_id = 'from_nothing' ORDER BY task_id;
SELECT task_id, try_number, unixname, hostname, span_status, context_carrier, updated_at IS NOT NULL AS updated
    FROM task_instance WHERE run_id = 'from_nothing' ORDER BY task_id;

-- The pinned version has none: then its run has none.
SELECT version_number FROM airflow_pin.pin('d', 3);
CALL lab.commit('d', 'd', lab.task('extract'));
CALL lab.run('d', 'to_nothing');
SELECT * FROM lab.runs WHERE run_id = 'to_nothing';
SELECT count(*) FROM task_instance WHERE run_id = 'to_nothing';

-- Layers of defaults: the task, then client_defaults, then Airflow's own.
CALL lab.commit('layers', 'a', lab.task('own', '{"retries": 1, "pool": "own"}'),
    lab.task('default') #- '{__var,task_type}');
UPDATE serialized_dag SET data = data || '{"client_defaults": {"tasks": {
    "retries": 3, "pool": "from_defaults", "queue": "q", "pool_slots": 2, "priority_weight": 6,
    "executor": "LocalExecutor", "task_type": "Anybody",
    "executor_config": {"__type": "dict", "__var": {"k": 1}}}}}' WHERE dag_id = 'layers';
CALL lab.commit('layers', 'b', lab.task('own'));
SELECT version_number FROM airflow_pin.pin('layers', 1);
CALL lab.run('layers', 'layers_1');
SELECT task_id, pool, pool_slots, queue, max_tries, priority_weight, executor, executor_config, operator
    FROM task_instance WHERE dag_id = 'layers' ORDER BY task_id;

-- A DAG without a pin is not touched, beside all that.
CALL lab.two_versions('free');
CALL lab.run('free', 'free_1');
SELECT * FROM lab.runs WHERE dag_id = 'free';
SELECT task_id, version FROM lab.tasks WHERE run_id = 'free_1' ORDER BY task_id;
SELECT count(*) FROM airflow_pin.run_decision WHERE dag_id = 'free';
-- A run that has no version yet becomes one of the pin; where that cannot be, it goes on having none.
CREATE PROCEDURE lab.run_without_version(run text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id) VALUES ('bare', run, 'scheduled', 'queued', 1);
    INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots)
        VALUES (gen_random_uuid(), 'report', 'bare', run, 0, 'default_pool', 1);
END $$;
CALL lab.two_versions('bare');
SELECT version_number FROM airflow_pin.pin('bare', 1);
CALL lab.run_without_version('bare');
SELECT * FROM lab.whole WHERE run_id = 'bare';
CALL lab.unguarded($$UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = lab.uuid('bare1')$$);
CALL lab.run_without_version('bare and broken');
SELECT * FROM lab.whole WHERE run_id = 'bare and broken';
SELECT requested, effective, detail FROM lab.decisions WHERE run_id LIKE 'bare%';
-- The version that was asked for cannot be read, has no content, or is deleted before the commit.
CALL lab.two_versions('asked');
SELECT version_number FROM airflow_pin.pin('asked', 1);
UPDATE serialized_dag SET data = data #- '{dag,tasks,0,__var,task_id}' WHERE dag_version_id = lab.uuid('asked2');
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('asked', 'unreadable', 'manual', 'queued', 'b', lab.uuid('asked2'));
COMMIT;
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('asked', 'emptied', 'manual', 'queued', 'b', lab.uuid('asked2'));
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('asked2');
COMMIT;
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('asked', 'deleted', 'manual', 'queued', 'b', lab.uuid('asked2'));
DELETE FROM dag_version WHERE id = lab.uuid('asked2');
COMMIT;
SELECT * FROM lab.whole WHERE run_id IN ('unreadable', 'emptied', 'deleted');
