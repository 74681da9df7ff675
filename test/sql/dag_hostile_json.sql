-- Serialized DAGs that are deep, huge, malformed or made to be expensive: a run of the pinned version is right, or it is
-- failed with the reason. Never a crash, and no more memory and time than a large DAG takes.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
-- What zlib.compress() gives, uncompressed ("stored") blocks being a way to compress, too.
CREATE FUNCTION lab.adler32(data bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE a integer := 1; b integer := 0;
BEGIN
    FOR i IN 0 .. length(data) - 1 LOOP
        a := (a + get_byte(data, i)) % 65521;
        b := (b + a) % 65521;
    END LOOP;
    RETURN decode(lpad(to_hex(b), 4, '0') || lpad(to_hex(a), 4, '0'), 'hex');
END $$;
CREATE FUNCTION lab.little_endian(n integer) RETURNS bytea LANGUAGE sql AS
    $$ SELECT decode(lpad(to_hex(n & 255), 2, '0') || lpad(to_hex(n >> 8 & 255), 2, '0'), 'hex') $$;
CREATE FUNCTION lab.zlib(data bytea) RETURNS bytea LANGUAGE sql AS $$
    SELECT '\x7801'::bytea || string_agg(CASE WHEN i + 65535 >= length(data) THEN '\x01'::bytea ELSE '\x00' END
               || lab.little_endian(length(block)) || lab.little_endian(~ length(block) & 65535) || block, '' ORDER BY i)
           || lab.adler32(data)
    FROM generate_series(0, length(data) - 1, 65535) i, LATERAL (SELECT substr(data, i + 1, 65535) AS block) b $$;
CREATE FUNCTION lab.zlib(data text) RETURNS bytea LANGUAGE sql AS $$ SELECT lab.zlib(convert_to(data, 'UTF8')) $$;

-- A serialized DAG with these tasks, with or without Airflow's wrapping.
CREATE FUNCTION lab.dag(VARIADIC tasks jsonb[]) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT jsonb_build_object('__version', 3, 'dag', jsonb_build_object('tasks', to_jsonb(tasks))) $$;
CREATE FUNCTION lab.dag_text(more text) RETURNS text LANGUAGE sql AS
    $$ SELECT '{"__version": 3, "dag": {"tasks": [{"__type": "operator", "__var": {"task_id": "t"}}]' || more || '}}' $$;
CREATE FUNCTION lab.downstream(task_id text, VARIADIC ids text[]) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT lab.task(task_id, jsonb_build_object('downstream_task_ids', ids)) $$;
CREATE FUNCTION lab.config(value jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT lab.dag(lab.task('t', jsonb_build_object('executor_config', jsonb_build_object('__type', 'dict',
        '__var', jsonb_build_object('k', value))))) $$;

-- A pinned version of that content, and a scheduler's run of it.
CREATE FUNCTION lab.try(name text, content jsonb DEFAULT NULL, compressed bytea DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CALL lab.two_versions(name);
    PERFORM airflow_pin.pin(name, 1);
    PERFORM set_config('airflow_pin.enabled', 'off', false);
    UPDATE serialized_dag SET data = content, data_compressed = compressed WHERE dag_version_id = lab.uuid(name || 1);
    PERFORM set_config('airflow_pin.enabled', 'on', false);
    PERFORM lab.create_run(name, name, at => '2026-01-01');
END $$;
CREATE VIEW lab.results AS
    SELECT r.dag_id, r.state, r.version, (SELECT count(*) FROM task_instance t WHERE t.run_id = r.run_id) AS tasks,
           left(substring(d.detail FROM 'pinned version: (.*) The run is failed'), 160) AS problem
    FROM lab.runs r LEFT JOIN airflow_pin.run_decision d USING (dag_id, run_id) ORDER BY r.dag_id COLLATE "C";
CREATE PROCEDURE lab.clear() LANGUAGE plpgsql SET client_min_messages = warning AS
    'BEGIN TRUNCATE dag, airflow_pin.run_decision CASCADE; END';
\o /dev/null
\set ECHO all

-- Compressed data, as zlib.decompress() would take it or not.
SELECT lab.try('as it should be', NULL, lab.zlib(lab.dag_text('')));
SELECT lab.try('cut', NULL, substr(lab.zlib(lab.dag_text('')), 1, 60));
SELECT lab.try('garbage after the end', NULL, lab.zlib(lab.dag_text('')) || 'garbage');
SELECT lab.try('wrong adler32', NULL, overlay(lab.zlib(lab.dag_text('')) PLACING '\x00' FROM length(lab.zlib(lab.dag_text('')))));
SELECT lab.try('needs a dictionary', NULL, '\x78bb000000010000');
SELECT lab.try('compressed twice', NULL, lab.zlib(lab.zlib(lab.dag_text(''))));
-- 1 GB of "[" in 7 MB: a match of 258 bytes, over and over.
SELECT lab.try('bomb', NULL, '\x78018b8e1e'::bytea || decode(repeat('05a360148c8251300a46c12818', 500000), 'hex'));

-- Text that is not the JSON it should be.
SELECT lab.try('no UTF-8', NULL, lab.zlib(convert_to(lab.dag_text(', "doc_md": "'), 'UTF8') || '\xff'));
SELECT lab.try('text after the end', NULL, lab.zlib(lab.dag_text('') || ' {}'));
SELECT lab.try('zero', NULL, lab.zlib(lab.dag_text(', "doc_md": "\u0000"')));
SELECT lab.try('lone surrogate', NULL, lab.zlib(lab.dag_text(', "doc_md": "\ud800"')));
SELECT lab.try('NaN', NULL, lab.zlib(lab.dag_text(', "x": NaN')));
SELECT lab.try('1e400', NULL, lab.zlib(lab.dag_text(', "start_date": 1e400')));
SELECT lab.try('1e400 unused', NULL, lab.zlib(lab.dag_text(', "x": 1e400')));
SELECT lab.try('a fraction with an exponent', NULL, lab.zlib(lab.dag_text(', "start_date": 1.2345678e2')));
SELECT lab.try('ends in a backslash', NULL, lab.zlib('{"dag": "\'));
SELECT lab.try('number of two exponents', NULL, lab.zlib(lab.dag_text(', "x": 1e5e5')));
SELECT lab.try('digits', NULL, lab.zlib(lab.dag_text(', "x": ' || repeat('9', 140000))));
SELECT lab.try('keys twice', NULL, lab.zlib('{"dag": 1, "__version": 9, "__version": 3, ' || substr(lab.dag_text(''), 2)));
SELECT lab.try('arrays 100,000 deep', NULL, lab.zlib(lab.dag_text(', "x": ' || repeat('[', 100000) || repeat(']', 100000))));
SELECT lab.try('objects 100,000 deep', NULL, lab.zlib(lab.dag_text(', "x": ' || repeat('{"x":', 100000) || '0' || repeat('}', 100000))));
-- The same in and around the fields of a task, of which most are passed over.
CREATE FUNCTION lab.fields(fields text) RETURNS bytea LANGUAGE sql AS
    $$ SELECT lab.zlib('{"__version": 3, "dag": {"tasks": [{"__type": "operator", "__var": ' || fields || '}]}}') $$;
SELECT lab.try('fields: a list', NULL, lab.fields('["task_id"]'));
SELECT lab.try('fields: none', NULL, lab.fields('{}'));
SELECT lab.try('fields: other spaces', NULL, lab.fields(E'{\r\n\t"x"\r:\r1\r,\r"task_id"\r:\r"t"\r}'));
SELECT lab.try('fields: no key', NULL, lab.fields('{1: 2}'));
SELECT lab.try('fields: no colon', NULL, lab.fields('{"task_id" "t"}'));
SELECT lab.try('fields: no value', NULL, lab.fields('{"task_id": , "x": 1}'));
SELECT lab.try('fields: no comma', NULL, lab.fields('{"x": 1 "task_id": "t"}'));
SELECT lab.try('fields: comma at the end', NULL, lab.fields('{"task_id": "t",}'));
SELECT lab.try('fields: wrong bracket', NULL, lab.fields('{"task_id": "t"]'));
SELECT lab.try('fields: wrong bracket left out', NULL, lab.fields('{"task_id": "t", "x": [}}'));
SELECT lab.try('fields: end in a key', NULL, lab.zlib('{"__version": 3, "dag": {"tasks": [{"__var": {"task_'));
SELECT lab.try('fields: end left out', NULL, lab.zlib('{"__version": 3, "dag": {"tasks": [{"__var": {"task_id": "t", "x": [1'));
SELECT lab.try('no members', NULL, lab.zlib('{"__version": 3, "dag": {}}'));
SELECT lab.try('tasks: none', NULL, lab.zlib('{"__version": 3, "dag": {"tasks": []}}'));
SELECT lab.try('tasks: a number', NULL, lab.zlib('{"__version": 3, "dag": {"tasks": [1]}}'));
SELECT lab.try('values', NULL, lab.zlib(lab.dag_text(', "x": ' || repeat('[', 1050000))));
\o
SELECT * FROM lab.results;
-- All of such a DAG is asked for by others.
SELECT airflow_pin.diff('ends in a backslash', 1, 2);
SELECT airflow_pin.diff('fields: end left out', 1, 2);
CALL lab.clear();
\o /dev/null

-- JSON that is not the DAG it should be.
SELECT lab.try('tasks are numbers', lab.dag('1', '2'));
SELECT lab.try('tasks are an object', '{"__version": 3, "dag": {"tasks": {"t": 1}}}');
SELECT lab.try('task_id is a number', lab.dag(lab.task('t', '{"task_id": 1}')));
SELECT lab.try('task_id is empty', lab.dag(lab.task('')));
SELECT lab.try('task_id of 250 characters', lab.dag(lab.task(repeat('ü', 250))));
SELECT lab.try('task_id of 251 characters', lab.dag(lab.task(repeat('ü', 251))));
SELECT lab.try('task_id twice', lab.dag(lab.task('t'), lab.task('t')));
SELECT lab.try('task_id twice, of 1 MB', lab.dag(lab.task(repeat('t', 1000000)), lab.task(repeat('t', 1000000))));
SELECT lab.try('downstream of itself', lab.dag(lab.downstream('a', 'a')));
SELECT lab.try('downstream in a circle', lab.dag(lab.downstream('a', 'b'), lab.downstream('b', 'c'), lab.downstream('c', 'a')));
SELECT lab.try('downstream unknown', lab.dag(lab.downstream('a', 'b')));
SELECT lab.try('downstream is a number', lab.dag(lab.task(''), lab.task('a', '{"downstream_task_ids": [1]}')));
SELECT lab.try('weight too high', lab.dag(lab.task('a', '{"priority_weight": 2147483647, "downstream_task_ids": ["b"]}'), lab.task('b')));
SELECT lab.try('weight too low', lab.dag(lab.task('a', '{"priority_weight": -2147483648, "downstream_task_ids": ["b"]}'), lab.task('b', '{"priority_weight": -1}')));
SELECT lab.try('weight no integer', lab.dag(lab.task('a', '{"priority_weight": 1e400}')));
SELECT lab.try('weight negative', lab.dag(lab.task('a', '{"priority_weight": -5, "downstream_task_ids": ["b"]}'), lab.task('b')));
SELECT lab.try('mapped over too much', lab.dag(lab.task('t', jsonb_build_object('_is_mapped', true, 'partial_kwargs', '{}'::jsonb,
    'expand_input', jsonb_build_object('type', 'dict-of-lists', 'value', jsonb_build_object('__type', 'dict', '__var',
        jsonb_build_object('a', array_fill(1, '{400}'), 'b', array_fill(1, '{400}'))))))));
SELECT lab.try('100,001 tasks', (SELECT lab.dag(VARIADIC array_agg(lab.task(t::text))) FROM generate_series(1, 100001) t));
-- Reachability is a matter of tasks times dependencies: 1,200 tasks, each before all others.
SELECT lab.try('dependencies', (SELECT lab.dag(VARIADIC array_agg(lab.downstream(t::text, VARIADIC ids)))
    FROM generate_series(1, 1200) t, (SELECT array_agg(i::text) AS ids FROM generate_series(1, 1200) i) x));
-- Some bytes in jsonb are 130,000 digits.
SELECT lab.try('integers', lab.config((SELECT jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 20000))));
SELECT lab.try('floats', lab.config((SELECT jsonb_agg('1e-16000'::jsonb) FROM generate_series(1, 20000))));
SELECT lab.try('type of a config', lab.config('{"__type": 1e131000, "__var": {}}'));
-- 65 MB, in a few kB of TOAST.
SELECT lab.try('large', jsonb_build_object('__version', 3, 'dag', '{"tasks": []}'::jsonb, 'x', repeat('x', 68000000)));
SELECT lab.try('large compressed', NULL, convert_to(repeat('x', 68000000), 'UTF8'));
SELECT lab.try('dag is a list', '{"__version": 3, "dag": [1]}');
\o
SELECT * FROM lab.results;
SELECT task_id, weight FROM lab.tasks WHERE run_id IN ('downstream in a circle', 'weight negative') ORDER BY run_id, task_id;
SELECT max(length(detail)) < 2500 AS short FROM airflow_pin.run_decision;

-- Who pins gets the same reason, and what is pinned nevertheless is told of by the other functions.
SELECT airflow_pin.pin('large', 1);
\set SHOW_CONTEXT errors
SELECT airflow_pin.diff('large', 1, 2);
\set SHOW_CONTEXT never
SELECT dag_id, drift FROM airflow_pin.pins() WHERE dag_id IN ('large', 'dependencies', '100,001 tasks') ORDER BY 1;
SELECT version_number, action FROM airflow_pin.resolve('large');
-- Airflow's in-place overwrite of a pinned version with such content: parsing goes on.
UPDATE serialized_dag SET dag_hash = 'x', data = '"x"' WHERE dag_version_id = lab.uuid('large1');
-- The same with a content that is too large to be read, which is then not kept out.
CALL lab.two_versions('grows');
SELECT version_number FROM airflow_pin.pin('grows', 2);
UPDATE serialized_dag SET dag_hash = 'large', data = to_jsonb(repeat('x', 68000000)) WHERE dag_version_id = lab.uuid('grows2');
SELECT dag_hash FROM serialized_dag WHERE dag_id = 'grows' AND dag_version_id = lab.uuid('grows2');
CALL lab.two_versions('grows compressed');
SELECT version_number FROM airflow_pin.pin('grows compressed', 2);
UPDATE serialized_dag SET dag_hash = 'large', data = NULL, data_compressed = convert_to(repeat('x', 68000000), 'UTF8')
    WHERE dag_version_id = lab.uuid('grows compressed2');
SELECT dag_hash FROM serialized_dag WHERE dag_version_id = lab.uuid('grows compressed2');

-- The same as json, as Airflow 3.0 and 3.1 have it.
CALL lab.clear();
\o /dev/null
ALTER TABLE serialized_dag ALTER data TYPE json;
CREATE FUNCTION lab.try_json(name text, content text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CALL lab.two_versions(name);
    PERFORM airflow_pin.pin(name, 1);
    PERFORM set_config('airflow_pin.enabled', 'off', false);
    UPDATE serialized_dag SET data = content::json WHERE dag_version_id = lab.uuid(name || 1);
    PERFORM set_config('airflow_pin.enabled', 'on', false);
    PERFORM lab.create_run(name, name, at => '2026-01-01');
END $$;
SELECT lab.try_json('values', lab.dag_text(format(', "x": [0%s]', repeat(',[]', 530000))));
SELECT lab.try_json('numbers', lab.dag_text(format(', "x": [0%s]', repeat(',1e308', 450000))));
SELECT lab.try_json('large', lab.dag_text(format(', "x": "%s"', repeat('x', 68000000))));
SELECT lab.try_json('zero', lab.dag_text(', "doc_md": "\u0000"'));
SELECT lab.try_json('lone surrogate', lab.dag_text(', "doc_md": "\udc00"'));
SELECT lab.try_json('keys twice', '{"dag": 1, "__version": 9, "__version": 3, ' || substr(lab.dag_text(''), 2));
\o
SELECT * FROM lab.results;
