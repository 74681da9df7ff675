-- Task instances of mapped tasks and mapped task groups: expanded when the mapping is a literal.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.version('m', 'a', ARRAY[
    lab.mapped('list', lab.over('{"x": [10, 20, 30]}'), partial => '{"retries": 2, "pool": "p", "queue": "q",
               "pool_slots": 4, "priority_weight": 5, "weight_rule": "absolute", "task_display_name": "Listed"}'),
    lab.mapped('product', lab.over('{"x": [1, 2], "y": {"__type": "dict", "__var": {"a": 1, "b": 2, "c": 3}}}')),
    lab.mapped('tuple', lab.over('{"x": {"__type": "tuple", "__var": [1, 2]}}')),
    lab.mapped('kwargs', '{"type": "list-of-dicts", "value": [{"__type": "dict", "__var": {"x": 1}},
                                                              {"__type": "dict", "__var": {"x": 2}}]}'),
    lab.mapped('kwargs_xcom', '{"type": "list-of-dicts", "value": {"__type": "xcomref", "__var": {}}}'),
    lab.mapped('xcom', lab.over('{"x": {"__type": "xcomref", "__var": {"task_id": "list"}}}')),
    lab.mapped('half_xcom', lab.over('{"x": [1, 2], "y": {"__type": "xcomref", "__var": {}}}')),
    lab.mapped('empty', lab.over('{"x": []}')),
    lab.mapped('one', lab.over('{"x": [1]}')),
    lab.mapped('nothing', lab.over('{}')),
    lab.task('taskflow', jsonb_build_object('_is_mapped', true, '_expand_input_attr', 'op_kwargs_expand_input',
             'op_kwargs_expand_input', lab.over('{"x": [1, 2]}'), 'partial_kwargs', '{}'::jsonb)),
    lab.task('plain')]);
CALL lab.version('m', 'b', ARRAY[
    lab.mapped('list', lab.over('{"x": [10, 20]}'), partial => '{"retries": 9}'), lab.task('plain'), lab.task('new')]);
SELECT version_number FROM airflow_pin.pin('m', 1);

CALL lab.run('m', 'mapped_1');
SELECT task_id, count(*), array_agg(map ORDER BY map) AS map FROM lab.tasks GROUP BY task_id ORDER BY task_id;
SELECT DISTINCT task_id, pool, pool_slots, queue, max_tries, priority_weight, task_display_name
    FROM task_instance WHERE task_id IN ('list', 'product') ORDER BY task_id;

-- Airflow expanded the latest version's mapping already: rows 0 and 1 stay, row 2 comes.
BEGIN;
CALL lab.run('m', 'mapped_2');
INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, pool, pool_slots, hostname,
                           unixname, context_carrier, max_tries, dag_version_id)
    SELECT gen_random_uuid(), task_id, dag_id, run_id, i, try_number, pool, pool_slots, hostname, unixname,
           context_carrier, max_tries, dag_version_id
    FROM task_instance, generate_series(0, 1) i WHERE run_id = 'mapped_2' AND task_id = 'list';
DELETE FROM task_instance WHERE run_id = 'mapped_2' AND task_id = 'list' AND map_index = -1;
CREATE TEMP TABLE before AS SELECT id, map_index FROM task_instance WHERE run_id = 'mapped_2' AND task_id = 'list';
COMMIT;
SELECT map_index, max_tries, pool, t.id = b.id AS same_id FROM task_instance t LEFT JOIN before b USING (map_index)
    WHERE run_id = 'mapped_2' AND task_id = 'list' ORDER BY map_index;

-- The other way round: the pinned version has fewer.
SELECT version_number FROM airflow_pin.pin('m');
CALL lab.version('m', 'c', ARRAY[lab.mapped('list', lab.over('{"x": [10, 20, 30, 40]}')), lab.task('plain')]);
BEGIN;
CALL lab.run('m', 'mapped_3');
INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, pool, pool_slots, dag_version_id)
    SELECT gen_random_uuid(), task_id, dag_id, run_id, i, try_number, pool, pool_slots, dag_version_id
    FROM task_instance, generate_series(0, 3) i WHERE run_id = 'mapped_3' AND task_id = 'list';
DELETE FROM task_instance WHERE run_id = 'mapped_3' AND task_id = 'list' AND map_index = -1;
COMMIT;
SELECT task_id, map, version, max_tries FROM lab.tasks WHERE run_id = 'mapped_3' ORDER BY task_id, map;

-- Mapped task groups multiply, also nested ones, and with a mapped task inside. A group that maps over
-- an XCom, or that is inside one that does, is not expanded; a group around it that is not mapped has
-- no say.
CALL lab.version('g', 'a', ARRAY[
    lab.task('outside'), lab.task('in_two'), lab.task('in_plain_in_two'), lab.task('in_three_in_two'),
    lab.mapped('mapped_in_three', lab.over('{"x": [1, 2]}')), lab.task('in_xcom'), lab.task('in_two_in_xcom'),
    lab.mapped('mapped_in_xcom', lab.over('{"x": [1, 2]}')), lab.task('in_none')],
    '{"task_group": {"_group_id": null, "is_mapped": false, "children": {
        "outside": ["operator", "outside"],
        "two": ["taskgroup", {"_group_id": "two", "is_mapped": true,
            "expand_input": {"type": "dict-of-lists", "value": {"__type": "dict", "__var": {"x": [1, 2]}}},
            "children": {
                "in_two": ["operator", "in_two"],
                "plain": ["taskgroup", {"_group_id": "plain", "is_mapped": false,
                    "children": {"in_plain_in_two": ["operator", "in_plain_in_two"]}}],
                "three": ["taskgroup", {"_group_id": "three", "is_mapped": true,
                    "expand_input": {"type": "list-of-dicts", "value": [{}, {}, {}]},
                    "children": {"in_three_in_two": ["operator", "in_three_in_two"],
                                 "mapped_in_three": ["operator", "mapped_in_three"]}}]}}],
        "xcom": ["taskgroup", {"_group_id": "xcom", "is_mapped": true,
            "expand_input": {"type": "dict-of-lists",
                             "value": {"__type": "dict", "__var": {"x": {"__type": "xcomref", "__var": {}}}}},
            "children": {
                "in_xcom": ["operator", "in_xcom"],
                "mapped_in_xcom": ["operator", "mapped_in_xcom"],
                "two_in_xcom": ["taskgroup", {"is_mapped": true,
                    "expand_input": {"type": "list-of-dicts", "value": [{}, {}]},
                    "children": {"in_two_in_xcom": ["operator", "in_two_in_xcom"]}}]}}]}}}');
CALL lab.version('g', 'b', ARRAY[lab.task('outside')]);
SELECT version_number FROM airflow_pin.pin('g', 1);
CALL lab.run('g', 'group_1');
SELECT task_id, count(*), min(map), max(map) FROM lab.tasks WHERE run_id = 'group_1' GROUP BY task_id
    ORDER BY task_id;

-- More than fits into map_index: never guessed, refused when pinning.
CREATE FUNCTION lab.numbers(n integer) RETURNS jsonb LANGUAGE sql AS 'SELECT jsonb_agg(i) FROM generate_series(1, n) i';
CALL lab.version('big', 'a', ARRAY[lab.mapped('huge', lab.over(jsonb_build_object(
    'x', lab.numbers(2000), 'y', lab.numbers(2000), 'z', lab.numbers(2000))))]);
CALL lab.version('big', 'b', ARRAY[lab.task('t')]);
SELECT airflow_pin.pin('big', 1);
\echo :SQLSTATE

-- And more than anybody runs.
CALL lab.version('many', 'a', ARRAY[lab.mapped('many', lab.over(jsonb_build_object('x', lab.numbers(1000), 'y', lab.numbers(100)))),
                                    lab.task('one_more')]);
SELECT airflow_pin.pin('many', 1);
CALL lab.version('many', 'b', ARRAY[lab.mapped('many', lab.over(jsonb_build_object('x', lab.numbers(100), 'y', lab.numbers(100))))]);
CALL lab.version('many', 'c', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('many', 2);
CALL lab.run('many', 'many');
SELECT count(*), count(DISTINCT map), min(map), max(map) FROM lab.tasks WHERE run_id = 'many';

-- So is a mapping of a kind that is not known.
CALL lab.version('odd', 'a', ARRAY[lab.mapped('odd', '{"type": "of-the-future", "value": []}')]);
SELECT airflow_pin.pin('odd', 1);
CALL lab.version('odd', 'b', ARRAY[lab.mapped('odd', lab.over('{"x": {"__type": "generator", "__var": {}}}'))]);
SELECT airflow_pin.pin('odd', 2);
