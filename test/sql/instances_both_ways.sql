-- Task instances of a rewritten run come to the same whether they are made the run's while they are inserted or at commit.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CREATE VIEW lab.derived AS
    SELECT run_id, task_id, map_index AS map, version_number AS version, task_display_name AS name, operator,
           custom_operator_name AS custom, queue, pool, executor, encode(executor_config, 'hex') AS config, pool_slots AS slots,
           max_tries AS tries, priority_weight AS weight
    FROM task_instance t JOIN dag_version v ON v.id = t.dag_version_id;
-- A run whose task instances are made the run's at commit only: within a transaction.
CREATE PROCEDURE lab.late(dag text, run text) LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE task_instance DISABLE TRIGGER airflow_pin_adopt;
    PERFORM lab.create_run(dag, run);
    ALTER TABLE task_instance ENABLE ALWAYS TRIGGER airflow_pin_adopt;
END $$;
CREATE FUNCTION lab.config(value integer) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT jsonb_build_object('executor_config', jsonb_build_object('__type', 'dict', '__var', jsonb_build_object('k', value))) $$;

-- The versions differ in every column, in values of the same length too, in tasks, and in how often they are expanded.
CALL lab.version('d', 'a', ARRAY[
    lab.task('same', lab.config(1)), lab.task('config', lab.config(1)), lab.task('executor'),
    lab.task('all', '{"task_display_name": "One", "task_type": "A", "_operator_name": "@a", "queue": "aaaa", "pool": "pool_a",
             "executor": "A", "pool_slots": 2, "retries": 3, "priority_weight": 4, "weight_rule": "absolute"}'),
    lab.task('fewer', '{"executor": "A"}'), lab.mapped('more', lab.over('{"x": [1, 2, 3]}')), lab.task('old_1'), lab.task('old_2'),
    lab.mapped('old_mapped', lab.over('{"x": [1, 2]}'), partial => '{"queue": "mapped"}')]);
CALL lab.version('d', 'b', ARRAY[
    lab.task('same', lab.config(1)), lab.task('config', lab.config(2)), lab.task('executor', '{"executor": "B"}'),
    lab.task('all', '{"task_display_name": "Two", "task_type": "B", "_operator_name": "@b", "queue": "bbbb", "pool": "pool_b",
             "executor": "B", "pool_slots": 5, "retries": 6, "priority_weight": 7, "weight_rule": "absolute"}'),
    lab.task('fewer'), lab.mapped('more', lab.over('{"x": [1]}')), lab.task('new_1'), lab.task('new_2'), lab.task('new_3')]);
SELECT version_number FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'early');
BEGIN;
CALL lab.late('d', 'late');
SELECT task_id, version FROM lab.derived WHERE run_id = 'late' ORDER BY task_id, map;
COMMIT;
SELECT task_id, map, version, name, operator, custom, queue, pool, executor, config, slots, tries, weight
    FROM lab.derived WHERE run_id = 'early' ORDER BY task_id, map;
SELECT to_jsonb(d) - 'run_id' AS only_early FROM lab.derived d WHERE run_id = 'early'
    EXCEPT SELECT to_jsonb(d) - 'run_id' FROM lab.derived d WHERE run_id = 'late';
SELECT run_id, count(*) FROM lab.derived GROUP BY run_id ORDER BY run_id;

-- What is changed in between is set at commit.
BEGIN;
CALL lab.run('d', 'between');
UPDATE task_instance SET pool = 'pool_c', executor = 'C' WHERE run_id = 'between' AND task_id IN ('all', 'executor');
COMMIT;
SELECT task_id, pool, executor FROM lab.derived WHERE run_id = 'between' AND task_id IN ('all', 'executor') ORDER BY 1;

-- A row that Airflow has and no version has: it goes, in both ways.
BEGIN;
CALL lab.run('d', 'early_odd');
CALL lab.late('d', 'late_odd');
ALTER TABLE task_instance DISABLE TRIGGER airflow_pin_adopt;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (lab.uuid('odd_1'), 'odd', 'd', 'early_odd', 0, 'default_pool', 1, lab.uuid('d2')),
           (lab.uuid('odd_2'), 'odd', 'd', 'late_odd', 0, 'default_pool', 1, lab.uuid('d2'));
ALTER TABLE task_instance ENABLE ALWAYS TRIGGER airflow_pin_adopt;
COMMIT;
SELECT run_id, count(*) FROM lab.derived WHERE run_id LIKE '%odd' GROUP BY run_id ORDER BY run_id;

-- Values that a plan alone cannot tell in one of the versions are set at commit.
CALL lab.version('plugin', 'a', ARRAY[lab.task('a', '{"pool": "one"}')]);
CALL lab.version('plugin', 'b', ARRAY[lab.task('a', '{"weight_rule": "my_plugin.Strategy"}')]);
SELECT version_number FROM airflow_pin.pin('plugin', 1);
BEGIN;
CALL lab.run('plugin', 'plugin_1');
SELECT task_id, version, pool, weight FROM lab.derived WHERE run_id = 'plugin_1';
COMMIT;
SELECT task_id, version, pool, weight FROM lab.derived WHERE run_id = 'plugin_1';

-- Task instances of two runs of one transaction, which come after both.
CALL lab.two_versions('e');
SELECT version_number FROM airflow_pin.pin('e', 1);
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    SELECT 'e', 'both_' || n, 'scheduled', 'queued', 'b', lab.uuid('e2') FROM generate_series(1, 2) n;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT lab.uuid(task_id || n), task_id, 'e', 'both_' || n, 0, 'default_pool', 1, lab.uuid('e2')
    FROM generate_series(1, 2) n, unnest('{extract, report}'::text[]) task_id;
SELECT run_id, task_id, version FROM lab.derived WHERE run_id LIKE 'both%' ORDER BY 1, 2;
COMMIT;

-- A version whose content cannot be planned is asked for: then its rows get the version, and all else at commit.
CALL lab.two_versions('torn');
SELECT version_number FROM airflow_pin.pin('torn', 1);
UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = lab.uuid('torn2');
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('torn', 'torn_1', 'scheduled', 'queued', 'b', lab.uuid('torn2'));
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT lab.uuid('torn' || task_id), task_id, 'torn', 'torn_1', 0, 'default_pool', 1, lab.uuid('torn2')
    FROM unnest('{extract, report}'::text[]) task_id;
SELECT task_id, version FROM lab.derived WHERE run_id = 'torn_1' ORDER BY 1;
COMMIT;
SELECT task_id, version FROM lab.derived WHERE run_id = 'torn_1' ORDER BY 1;

-- A run that was there before is not the one that was decided about: nothing of it is changed.
BEGIN;
SET LOCAL airflow_pin.enabled = off;
SELECT lab.create_run('e', 'before') \g /dev/null
COMMIT;
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('e', 'before', 'scheduled', 'queued', 'b', lab.uuid('e2')) ON CONFLICT DO NOTHING;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (lab.uuid('later'), 'later', 'e', 'before', 0, 'default_pool', 1, lab.uuid('e2'));
COMMIT;
SELECT run_id, task_id, version FROM lab.derived WHERE run_id = 'before' ORDER BY task_id;
SELECT action, detail FROM lab.decisions WHERE run_id = 'before';

-- Rows that the table itself refuses.
\set VERBOSITY terse
BEGIN;
CALL lab.run('e', 'refused');
SAVEPOINT a;
INSERT INTO task_instance (id, task_id, map_index, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (lab.uuid('null'), 'extract', NULL, 'e', 'refused', 0, 'default_pool', 1, lab.uuid('e2'));
ROLLBACK TO a;
COMMIT;
\set VERBOSITY default
SELECT run_id, task_id, version FROM lab.derived WHERE run_id = 'refused' ORDER BY task_id;

-- Columns of other types than Airflow's, or none.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP VIEW lab.derived, lab.tasks CASCADE;
ALTER TABLE task_instance ALTER task_id TYPE name;
CALL lab.run('e', 'task_id');
ALTER TABLE task_instance ALTER task_id TYPE varchar(250), ALTER map_index TYPE smallint;
CALL lab.run('e', 'map_index');
ALTER TABLE task_instance ALTER map_index TYPE integer;
SELECT t.run_id, task_id, version_number FROM task_instance t JOIN dag_version v ON v.id = dag_version_id
    WHERE run_id IN ('task_id', 'map_index') ORDER BY 1, 2;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT t.run_id, task_id, version_number FROM task_instance t JOIN dag_version v ON v.id = dag_version_id
    WHERE run_id IN ('task_id', 'map_index') ORDER BY 1, 2;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
ALTER TABLE task_instance DROP COLUMN executor CASCADE;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('e', 'no_column', 'scheduled', 'queued', 'b', lab.uuid('e2'));
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (lab.uuid('no_column'), 'extract', 'e', 'no_column', 0, 'default_pool', 1, lab.uuid('e2'));
COMMIT;
SELECT state, version FROM lab.runs WHERE run_id = 'no_column';
SELECT task_id, version_number FROM task_instance t JOIN dag_version v ON v.id = dag_version_id WHERE run_id = 'no_column' ORDER BY 1;
ALTER TABLE task_instance ADD COLUMN executor varchar(1000);

-- The plans of a transaction take no more than so much memory, and one more: further ones are made at commit.
SELECT lab.add_version('large', 'a', array_agg(lab.task(repeat('t', 240) || n))) FROM generate_series(1, 4000) n;
SELECT lab.add_version('large', 'b', array_agg(lab.task(repeat('t', 240) || n)) || lab.task('new')) FROM generate_series(1, 4000) n;
SELECT version_number FROM airflow_pin.pin('large', 1);
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    SELECT 'large', 'large_' || n, 'scheduled', 'queued', 'b', lab.uuid('large2') FROM generate_series(10, 40) n;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT lab.uuid(run_id), repeat('t', 240) || 1, dag_id, run_id, 0, 'default_pool', 1, created_dag_version_id
    FROM (SELECT DISTINCT run_id, dag_id, lab.uuid('large2') AS created_dag_version_id FROM dag_run WHERE dag_id = 'large') r;
SELECT count(*) BETWEEN 3 AND 30 AS some_runs, sum(total_bytes) BETWEEN 60e6 AND 80e6 AS bounded
    FROM pg_backend_memory_contexts WHERE name = 'airflow_pin plans of a run';
SELECT DISTINCT version_number FROM task_instance t JOIN dag_version v ON v.id = dag_version_id WHERE t.dag_id = 'large';
ROLLBACK;

-- A dag_id that comes compressed, or from elsewhere, as from a row that is too large for its page.
CREATE TABLE wide (dag_id varchar(250), filler text);
ALTER TABLE wide ALTER filler SET STORAGE PLAIN;
SELECT repeat('d', 250) AS long \gset
CALL lab.two_versions(:'long');
SELECT version_number FROM airflow_pin.pin(:'long', 1);
INSERT INTO wide VALUES (:'long', repeat('x', 3000));
SELECT pg_column_size(dag_id) < 250 AS compressed FROM wide;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    SELECT dag_id, 'wide', 'scheduled', 'queued', 'b', lab.uuid(:'long' || '2') FROM wide;
ALTER TABLE wide ALTER dag_id SET STORAGE EXTERNAL;
INSERT INTO wide VALUES (repeat('d', 250), repeat('y', 3000));
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    SELECT dag_id, 'elsewhere', 'scheduled', 'queued', 'b', lab.uuid(:'long' || '2') FROM wide WHERE filler LIKE 'y%';
SELECT run_id, version, commit FROM lab.runs WHERE run_id IN ('wide', 'elsewhere') ORDER BY 1;
