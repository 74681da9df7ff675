-- A DAG that is stored as text is read without the fields of its tasks that no run depends on: the task instances are
-- those that all of it gives, as jsonb has it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO all

-- Whatever stands around the fields, and in those that are left out.
SELECT $$ {"client_defaults": {"tasks": {"pool_slots": 3, "tasks": [{"__var": {"ui_color": 1}}]}},
 "dag" : {"tags": ["tasks", "dag"], "params": {"tasks": [{"__var": {"x": 1}}], "dag": {"tasks": 1}},
  "task_group": {"children": {"first": ["operator", "first"], "mapped": ["operator", "mapped"], "group": ["taskgroup",
      {"is_mapped": true, "expand_input": {"type": "dict-of-lists", "value": {"__type": "dict", "__var": {"a": [1, 2]}}},
       "children": {"in_group": ["operator", "in_group"]}}]}},
  "tasks":
  [ {"__type": "operator", "__var": {"doc_md": "\"}]", "task_id": "first", "ui_color": "#fff", "pool": "one \" two",
       "op_kwargs": {"pool": "not this", "a": [{"b": {}}, [], "}{", -1.5e-7, 1E5]}, "retries": 2,
       "downstream_task_ids": ["last", "mapped"], "is_setup": false}},
    {"__var": {"ui_color":null,"task_id":"none left out at the end","queue":"q"},"__type":"operator"},
    {"__type": "operator", "__var": {
       "template_fields" : [ ] , "task_id" : "spaces" ,
       "priority_weight"	: 7 , "env" : {	} } },
    {"other": {"__var": {"task_id": 1, "ui_color": 2}}, "__type": "operator", "__var": {"task_id": "beside __var", "x": "\\"}},
    {"__type": "operator", "__var": {"retry_delay": 3e2, "task_id": "numbers", "x": -0.0, "executor_config": {"__type": "dict",
       "__var": {"one": 1, "ui_color": {"__type": "dict", "__var": {}}, "half": 0.5}}, "y": 1e300}},
    {"__type": "operator", "__var": {"_is_mapped": true, "_expand_input_attr": "op_kwargs_expand_input", "task_id": "mapped",
       "expand_input": 1, "op_kwargs_expand_input": {"type": "dict-of-lists", "value": {"__type": "dict",
       "__var": {"ui_color": [1, 2, 3]}}}, "partial_kwargs": {"retries": 9, "pool": "p", "ui_color": "x"}, "template_ext": [".sh"]}},
    {"__type": "operator", "__var": {"\u0074ask_id": "escapes", "p\u006fol": "p\u00fcl", "ui_c\u006flor": "x"}},
    {"__type": "operator", "__var": {"task_id": "in_group", "pool": "a", "ui_color": "", "pool": "the last counts"}},
    {"__type": "operator", "__var": {"tas": 1, "task_id": "last", "task_ids": 2, "_task_display_name": "Last", "start_date": 0,
       "end_date": 1.9e9, "weight_rule": "upstream", "task_type": "T", "_operator_name": "@t", "executor": "e"}}
  ], "after": [1, {"tasks": [{"__var": {"ui_color": 1}}]}], "start_date": 1e9}, "__version": 3}
 $$ AS content \gset
CREATE PROCEDURE lab.pinned(dag text) LANGUAGE plpgsql AS $$
BEGIN
    CALL lab.two_versions(dag);
    PERFORM airflow_pin.pin(dag, 1);
END $$;
CALL lab.pinned('jsonb');
CALL lab.unguarded(format('UPDATE serialized_dag SET data = %L WHERE dag_version_id = lab.uuid(''jsonb1'')', :'content'));
CALL lab.run('jsonb', 'jsonb', at => '2026-01-01');
ALTER TABLE serialized_dag ALTER data TYPE json;
CALL lab.pinned('json');
CALL lab.unguarded(format('UPDATE serialized_dag SET data = %L WHERE dag_version_id = lab.uuid(''json1'')', :'content'));
CALL lab.run('json', 'json', at => '2026-01-01');
SELECT run_id, state, version FROM lab.runs ORDER BY run_id;
SELECT task_id, map, pool, pool_slots, queue, max_tries, weight, operator FROM lab.tasks WHERE run_id = 'json' ORDER BY task_id, map;

-- All columns but those that are new for each run.
CREATE VIEW lab.compared AS
    SELECT run_id, to_jsonb(t) - '{id, dag_id, run_id, dag_version_id, updated_at, context_carrier}'::text[] AS task FROM task_instance t;
SELECT count(*), count(DISTINCT task) AS pairs FROM lab.compared;

-- Floats keep their type, as in the pickles of -0.0 and 100.0, beside others that are left out.
CALL lab.pinned('floats');
CALL lab.unguarded($$UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [{"__type": "operator", "__var":
    {"x": 1e5, "task_id": "a", "y": [-0.0], "executor_config": {"__type": "dict", "__var": {"a": -0.0, "b": 1e2}}, "z": 1e5}}]}}'
    WHERE dag_version_id = lab.uuid('floats1')$$);
CALL lab.run('floats', 'floats');
CALL lab.pinned('defaults');
CALL lab.unguarded($$UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [{"__type": "operator", "__var":
    {"task_id": "a", "last": 0}}]}, "client_defaults": {"tasks": {"executor_config": {"__type": "dict", "__var": {"a": -0.0, "b": 1e2}}}}}'
    WHERE dag_version_id = lab.uuid('defaults1')$$);
CALL lab.run('defaults', 'defaults');
SELECT run_id, encode(executor_config, 'hex') AS config FROM task_instance WHERE run_id IN ('floats', 'defaults') ORDER BY 1;

-- What jsonb cannot hold is no matter where it is left out.
CALL lab.pinned('zero');
CALL lab.unguarded($$UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [{"__type": "operator", "__var":
    {"task_id": "a", "doc_md": "\u0000", "op_args": ["\ud800"]}}]}}' WHERE dag_version_id = lab.uuid('zero1')$$);
CALL lab.run('zero', 'zero');
SELECT run_id, state, version, tasks FROM lab.whole WHERE run_id = 'zero';
SELECT airflow_pin.diff('zero', 1, 2);
\echo :SQLSTATE

-- A mapped task whose input is in a field of another name.
CALL lab.pinned('attribute');
CALL lab.unguarded($$UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [{"__type": "operator", "__var":
    {"task_id": "a", "_is_mapped": true, "_expand_input_attr": "mine", "partial_kwargs": {},
     "mine": {"type": "dict-of-lists", "value": {"__type": "dict", "__var": {"x": [1, 2]}}}}}]}}'
    WHERE dag_version_id = lab.uuid('attribute1')$$);
CALL lab.run('attribute', 'attribute');
SELECT state, detail FROM lab.runs JOIN lab.decisions USING (run_id) WHERE run_id = 'attribute';

-- What a transaction has read of a DAG it reads again when it was changed, and when the change was taken back; Airflow 3.0
-- looks into the latest version.
ALTER TABLE dag_run DROP triggering_user_name;
ALTER TABLE dag_version DROP version_data;
ALTER TABLE dag DROP next_dagrun_partition_key;
CALL lab.two_versions('changed');
CALL lab.commit('changed', 'c', lab.task('extract'), lab.task('load'));
SELECT version_number FROM airflow_pin.pin('changed', 1);
BEGIN;
CALL lab.run('changed', '1');
SAVEPOINT s;
UPDATE serialized_dag SET data = replace(data::text, '"load"', '"loaf"')::json WHERE dag_version_id = lab.uuid('changed3');
CALL lab.run('changed', '2');
SELECT run_id, state, version, action FROM lab.runs JOIN lab.decisions USING (run_id) WHERE run_id = '2';
ROLLBACK TO s;
CALL lab.run('changed', '3');
-- The two versions of another DAG in between.
CALL lab.run('json', 'json again', at => '2026-01-02');
CALL lab.run('changed', '4');
COMMIT;
SELECT run_id, state, version, tasks FROM lab.whole WHERE run_id BETWEEN '1' AND '4';
SELECT count(*), count(DISTINCT task) AS pairs FROM lab.compared WHERE run_id IN ('json', 'json again');
-- A transaction that has the table written anew meanwhile finds its rows in other places.
TRUNCATE serialized_dag;
CALL lab.commit('moved', 'a', lab.task('extract'));
CALL lab.commit('moved', 'b', lab.task('extract'), lab.task('load'));
UPDATE serialized_dag SET dag_hash = CASE dag_version_id WHEN lab.uuid('moved1') THEN 'x' ELSE 'y' END;
CREATE INDEX forwards ON serialized_dag (dag_hash);
CREATE INDEX backwards ON serialized_dag (dag_hash DESC);
CLUSTER serialized_dag USING forwards;
SELECT version_number FROM airflow_pin.pin('moved', 1);
BEGIN;
CALL lab.run('moved', 'before');
SELECT dag_hash, ctid FROM serialized_dag ORDER BY 1;
CLUSTER serialized_dag USING backwards;
SELECT dag_hash, ctid FROM serialized_dag ORDER BY 1;
CALL lab.run('moved', 'after');
COMMIT;
SELECT run_id, state, version, tasks FROM lab.whole WHERE run_id IN ('before', 'after');
