-- Serialized DAGs with content that Airflow does not write, or hardly ever: read as Airflow would, or refused.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- What pin() says of a version 1 with these tasks and settings; NULL: nothing.
CREATE FUNCTION lab.refusal(dag text, tasks jsonb[], more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM lab.add_version(dag, 'a', tasks, more);
    PERFORM lab.add_version(dag, 'b', ARRAY[lab.task('other')]);
    PERFORM airflow_pin.pin(dag, 1);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || detail;
END $$;

-- Fields of one task.
SELECT name, lab.refusal(name, ARRAY[lab.task('t', fields)]) FROM (VALUES
    ('null_name', '{"_operator_name": null, "executor": null}'::jsonb),
    ('number_as_queue', '{"queue": 7}'),
    ('list_as_pool', '{"pool": ["a"]}'),
    ('text_as_slots', '{"pool_slots": "two"}'),
    ('true_as_retries', '{"retries": true}'),
    ('rule_null', '{"weight_rule": null}'),
    ('rule_empty', '{"weight_rule": ""}'),
    ('no_task_id', '{"task_id": null}'),
    ('date_as_text', '{"start_date": "2026-06-01"}'),
    ('date_null', '{"start_date": null, "end_date": null}'),
    ('mapped_without_input', '{"_is_mapped": true}'),
    ('mapped_over_text', '{"_is_mapped": true, "expand_input": {"type": "list-of-dicts", "value": "x"}}'),
    ('mapped_over_object', '{"_is_mapped": true, "expand_input": {"type": "list-of-dicts", "value": {"__type": "date", "__var": {}}}}'),
    ('mapped_over_no_dict', '{"_is_mapped": true, "expand_input": {"type": "dict-of-lists", "value": [1]}}'),
    ('mapped_over_unknown', '{"_is_mapped": true, "expand_input": {"type": "set-of-lists", "value": [1]}}'),
    ('mapped_over_nothing', '{"_is_mapped": true, "expand_input": {"type": "dict-of-lists"}}'),
    ('mapped_over_dict_without_content', '{"_is_mapped": true, "expand_input": {"type": "list-of-dicts", "value": {"__type": "dict"}}}'),
    ('mapped_over_text_as_dict', '{"_is_mapped": true, "expand_input": {"type": "dict-of-lists", "value": "x"}}'),
    ('mapped_over_list_as_dict', '{"_is_mapped": true, "expand_input": {"type": "dict-of-lists", "value": {"__type": "dict", "__var": [1]}}}'),
    ('mapped_over_set', '{"_is_mapped": true, "expand_input": {"type": "list-of-dicts", "value": {"__type": "set", "__var": [{}, {}]}}}'),
    ('mapped_over_xcom_first', '{"_is_mapped": true, "expand_input": {"type": "dict-of-lists", "value": {"__type": "dict",
        "__var": {"a": {"__type": "xcomref", "__var": {}}, "b": [1, 2]}}}}'),
    ('mapped_by_a_number', '{"_is_mapped": true, "_expand_input_attr": 7, "expand_input": {"type": "list-of-dicts", "value": [{}, {}]}}'),
    ('mapped_unnamed', '{"_is_mapped": true, "_operator_name": "", "expand_input": {"type": "list-of-dicts", "value": [{}]}}'),
    ('mapped_shown_as_number', '{"_is_mapped": true, "partial_kwargs": {"task_display_name": 7}, "expand_input": {"type": "list-of-dicts", "value": [{}]}}'),
    ('not_mapped', '{"_is_mapped": false}'),
    ('mapped_in_words', '{"_is_mapped": "yes"}'),
    ('unnamed', '{"_operator_name": ""}'),
    ('shown_as_nothing', '{"task_display_name": ""}')) v (name, fields) ORDER BY name;

-- The DAG's own.
SELECT name, lab.refusal(name, ARRAY[lab.task('t')], more) FROM (VALUES
    ('no_groups', '{"task_group": null}'::jsonb),
    ('group_without_children', '{"task_group": {"is_mapped": false}}'),
    ('child_of_three', '{"task_group": {"children": {"t": ["operator", "t", 1]}}}'),
    ('child_is_text', '{"task_group": {"children": {"t": "t"}}}'),
    ('child_of_other_kind', '{"task_group": {"children": {"t": ["other", 7]}}}'),
    ('child_unknown', '{"task_group": {"children": {"u": ["operator", "u"]}}}'),
    ('child_is_object', '{"task_group": {"children": {"t": {"operator": "t"}}}}'),
    ('child_is_no_text', '{"task_group": {"children": {"t": ["operator", 7]}}}'),
    ('child_is_a_group', '{"task_group": {"children": {"t": ["operator", {"children": {}}]}}}'),
    ('group_mapped_in_words', '{"task_group": {"is_mapped": "yes", "children": {"t": ["operator", "t"]}}}'),
    ('downstream_is_object', '{"tasks": [{"__type": "operator", "__var": {"task_id": "t", "downstream_task_ids": {"t": 1}}}]}'),
    ('task_without_id', '{"tasks": [{"__type": "operator", "__var": {"task_type": "t"}}]}'),
    ('task_of_another_type', '{"tasks": [{"__type": "dict", "__var": {"task_id": "t"}}]}'),
    ('task_without_wrapper', '{"tasks": ["t"]}'),
    ('tasks_are_no_list', '{"tasks": {"t": 1}}')) v (name, more) ORDER BY name;
SELECT lab.refusal('twice', ARRAY[lab.task('t'), lab.task('t')]);
-- Many groups, one in the other.
SELECT lab.refusal('groups', ARRAY[lab.task('t')], jsonb_build_object('task_group', (
    string_agg('{"children": {"g": ["taskgroup", ', '') || '{"children": {"t": ["operator", "t"]}}' || repeat(']}}', 40))::jsonb))
    FROM generate_series(1, 40);

-- A date that the run is compared with.
SELECT lab.refusal('late', ARRAY[lab.task('t', '{"start_date": 1e13}')]);
CALL lab.run('late', 'late', at => '2026-06-01');
CALL lab.run('date_as_text', 'date_as_text', at => '2026-06-01');
SELECT run_id, state, substring(detail FROM 'pinned version: (.*?)\. ') AS reason FROM lab.runs JOIN lab.decisions USING (run_id)
    ORDER BY run_id;

-- True counts as 1, as it does for Python; an empty weight rule is the default; NULL stays NULL.
DO $$ BEGIN PERFORM lab.create_run(dag_id, dag_id) FROM airflow_pin.pinned_version WHERE dag_id NOT IN ('late', 'date_as_text') ORDER BY dag_id; END $$;
SELECT run_id, state, max_tries, pool, weight FROM lab.tasks WHERE task_id = 't' AND run_id IN ('null_name', 'true_as_retries', 'rule_null', 'rule_empty')
    ORDER BY run_id;
SELECT run_id, state FROM lab.runs WHERE run_id IN ('date_null', 'no_groups', 'group_without_children', 'child_of_other_kind', 'child_unknown', 'groups')
    ORDER BY run_id;
SELECT run_id, count(*), min(map_index), max(map_index), min(custom_operator_name) AS operator, min(task_display_name) AS shown_as
    FROM task_instance WHERE task_id = 't' AND run_id ~ '^(mapped|not_mapped|unnamed|shown|group_mapped|child_is|downstream)' GROUP BY run_id ORDER BY run_id;

-- A mapped task: what partial() was given, then the defaults of the configuration.
CALL lab.version('mapped', 'a', ARRAY[lab.task('t', '{"_is_mapped": true, "partial_kwargs": {"queue": "partial"},
    "expand_input": {"type": "list-of-dicts", "value": [{}, {}]}}')]);
UPDATE serialized_dag SET data = data || '{"client_defaults": {"tasks": {"pool": "default", "queue": "default"}}}' WHERE dag_id = 'mapped';
CALL lab.commit('mapped', 'b', lab.task('t'));
SELECT version_number FROM airflow_pin.pin('mapped', 1);
CALL lab.run('mapped', 'mapped');
SELECT task_id, map, pool, queue FROM lab.tasks WHERE run_id = 'mapped' ORDER BY map;

-- executor_config: bytes from Airflow 3.3.2, as in rewrite_pickle.
CREATE TABLE lab.config (name text, config json, pickle bytea);
INSERT INTO lab.config VALUES
    ('date', '{"__var": {"d": {"__var": 1780272000.5, "__type": "datetime"}}, "__type": "dict"}',
     '\x80059597000000000000007d948c0164948c1170656e64756c756d2e6461746574696d65948c084461746554696d65949394284dea074b064b014b004b004b004a20a107008c086275696c74696e73948c07676574617474729493948c1470656e64756c756d2e747a2e74696d657a6f6e65948c0854696d657a6f6e659493948c095f756e7069636b6c6594869452948c03555443944b018694529474945294732e'),
    ('before', '{"__var": {"d": {"__var": -0.5, "__type": "timedelta"}}, "__type": "dict"}',
     '\x80059534000000000000007d948c0164948c086461746574696d65948c0974696d6564656c74619493944affffffff4a7f5101004a20a1070087945294732e'),
    ('floats', '{"__var": {"a": -0.0, "b": 1e+300, "c": 1.5e-05, "d": 1E2, "e": 12}, "__type": "dict"}',
     '\x8005953f000000000000007d94288c0161944780000000000000008c016294477e37e43c8800759c8c016394473eef75104d551d698c0164944740590000000000008c0165944b0c752e');
-- As json, in which Airflow before 3.2 stores it, because jsonb has no such floats.
ALTER TABLE serialized_dag ALTER data TYPE json;
ALTER TABLE task_instance ALTER context_carrier TYPE json;
SELECT name, lab.refusal(name, ARRAY[lab.task('t')]) FROM lab.config ORDER BY name;
CALL lab.unguarded($$UPDATE serialized_dag SET data = replace(data::text, '"task_id": "t"', '"task_id": "t", "executor_config": ' || config)::json
    FROM lab.config WHERE dag_version_id = lab.uuid(name || '1')$$);
SELECT lab.create_run(name, name) FROM lab.config ORDER BY name \g /dev/null
SELECT name, executor_config = pickle AS equal FROM lab.config LEFT JOIN task_instance ON run_id = name AND task_id = 't' ORDER BY name;

-- What cannot be written is named.
SELECT name, lab.refusal('c_' || name, ARRAY[lab.task('t', jsonb_build_object('executor_config', config))]) FROM (VALUES
    ('list', '["a"]'::jsonb), ('dict_of_list', '{"__type": "dict", "__var": ["a"]}'),
    ('text', '"a"'), ('other_dict', '{"__type": "set", "__var": {"k": 1}}'),
    ('only_content', '{"__type": "dict", "__var": {"k": {"__var": {}}}}'),
    ('dict_of_elements', '{"__type": "dict", "__var": {"k": {"__type": "dict", "__var": [1]}}}'),
    ('tuple_of_members', '{"__type": "dict", "__var": {"k": {"__type": "tuple", "__var": {"a": 1}}}}'),
    ('set_of_members', '{"__type": "dict", "__var": {"k": {"__type": "set", "__var": {"a": 1}}}}'),
    ('no_date', '{"__type": "dict", "__var": {"k": {"__type": "datetime"}}}'), ('no_delta', '{"__type": "dict", "__var": {"k": {"__type": "timedelta"}}}'),
    ('digits_in_pod', jsonb_build_object('__type', 'dict', '__var', jsonb_build_object('pod_override', jsonb_build_object('a', ('1' || repeat('0', 4300))::numeric, 'b', 1)))),
    ('no_type', '{"__type": "dict", "__var": {"k": {"a": 1}}}'), ('other_type', '{"__type": "dict", "__var": {"k": {"__type": "x", "__var": {}}}}'),
    ('late', '{"__type": "dict", "__var": {"k": {"__type": "datetime", "__var": null}}}'),
    ('delta_text', '{"__type": "dict", "__var": {"k": {"__type": "timedelta", "__var": "x"}}}'),
    ('delta_long', '{"__type": "dict", "__var": {"k": {"__type": "timedelta", "__var": 1e13}}}'),
    ('many_digits', jsonb_build_object('__type', 'dict', '__var', jsonb_build_object('k', ('1' || repeat('0', 4300))::numeric)))) v (name, config)
    ORDER BY name;
-- An integer of more than 255 bytes: 2 to the power of 4000.
CREATE TABLE lab.power AS WITH RECURSIVE power (n, i) AS (SELECT 1::numeric, 0 UNION ALL SELECT n * 2, i + 1 FROM power WHERE i < 4000)
    SELECT json_build_object('__type', 'dict', '__var', json_build_object('k', n)) AS config,
           '\x80059502020000000000007d948c016b948bf5010000'::bytea || decode(repeat('00', 500), 'hex') || '\x01732e' AS pickle
    FROM power WHERE i = 4000;
SELECT lab.refusal('power', ARRAY[lab.task('t', jsonb_build_object('executor_config', config))]) FROM lab.power;
CALL lab.run('power', 'power');
SELECT executor_config = pickle AS equal FROM lab.power, task_instance WHERE run_id = 'power' AND task_id = 't';
