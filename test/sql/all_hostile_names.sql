-- Quotes, backslashes, Unicode and full-length names in everything that comes from outside.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- A DAG and runs with names that break what is not quoted, and tasks, pools, queues and commits likewise.
CREATE TABLE name (n integer, name text);
INSERT INTO name VALUES
    (1, $n$it's "one" \ two$n$), (2, $n$'; DROP TABLE dag_run; --$n$), (3, 'ключ ☃ 𝄞 é'), (4, repeat('ü', 250)),
    (5, E'tab\tand\nline'), (6, '%s %n %1$s'), (7, '{"json": [1]}'), (8, '$$ $1 :name'), (9, ' '), (10, 'NULL');
DO $$
DECLARE r record;
BEGIN
    FOR r IN SELECT * FROM name ORDER BY n LOOP
        PERFORM lab.add_version(r.name, left(r.name, 200), ARRAY[lab.task('keep'), lab.task(r.name, jsonb_build_object(
            'pool', r.name, 'queue', r.name, 'task_display_name', r.name, 'task_type', r.name, '_operator_name', r.name,
            'executor', r.name, 'executor_config', jsonb_build_object('__type', 'dict', '__var',
                jsonb_build_object('key', r.name))))], bundle => r.name);
        PERFORM lab.add_version(r.name, 'b', ARRAY[lab.task('keep'), lab.task('other')], bundle => r.name);
        PERFORM airflow_pin.pin(r.name, 1, reason => r.name);
        PERFORM lab.create_run(r.name, r.name, conf => jsonb_build_object('airflow_pin_version', r.name, r.name, r.name));
    END LOOP;
END $$;
SELECT n, r.state, r.version, r.commit = left(name, 200) AS commit FROM name LEFT JOIN lab.runs r ON r.dag_id = name AND r.run_id = name ORDER BY n;
SELECT n, count(*), bool_and(t.dag_version_id = lab.uuid(name || 1)) AS version,
       bool_or(t.task_id = name AND t.pool = name AND t.queue = name AND task_display_name = name AND operator = name
               AND custom_operator_name = name AND executor = name AND hostname = '') AS columns
    FROM name LEFT JOIN task_instance t ON t.dag_id = name GROUP BY n ORDER BY n;
-- The pickle of {"key": name}: up to 255 bytes have one byte of length, more have four.
CREATE FUNCTION lab.little_endian(value bigint, bytes integer) RETURNS bytea LANGUAGE sql AS $$
    SELECT string_agg(decode(lpad(to_hex(value >> (8 * i) & 255), 2, '0'), 'hex'), ''::bytea ORDER BY i)
    FROM generate_series(0, bytes - 1) i $$;
CREATE FUNCTION lab.pickled(name text) RETURNS bytea LANGUAGE sql AS $$
    SELECT '\x800595'::bytea || lab.little_endian(octet_length(body), 8) || body
    FROM (SELECT '\x7d948c03'::bytea || 'key'::bytea || '\x94'::bytea
                 || CASE WHEN octet_length(name) < 256 THEN '\x8c'::bytea || lab.little_endian(octet_length(name), 1)
                                                       ELSE '\x58'::bytea || lab.little_endian(octet_length(name), 4) END
                 || convert_to(name, 'UTF8') || '\x94732e'::bytea AS body) b $$;
SELECT n, bool_or(t.task_id = name AND t.executor_config = lab.pickled(name)) AS pickle
    FROM name LEFT JOIN task_instance t ON t.dag_id = name GROUP BY n ORDER BY n;
SELECT n, d.action, d.requested_version, d.effective_version, d.effective_bundle_version = left(name, 200) AS commit
    FROM name LEFT JOIN airflow_pin.run_decision d ON d.dag_id = name AND d.run_id = name ORDER BY n;
SELECT n, p.pinned_version, p.bundle_version = left(name, 200) AS commit, p.reason = name AS reason, p.drift
    FROM name LEFT JOIN airflow_pin.pins() p ON p.dag_id = name ORDER BY n;
SELECT n, (airflow_pin.resolve(name)).action, (SELECT count(*) FROM airflow_pin.diff(name, 1, 2)) AS diff FROM name ORDER BY n;
SELECT n, (airflow_pin.pin(name, 2, 'reject', reason => name, bundle_version => 'b')).version_number,
       (airflow_pin.rollback(name, name)).version_number, (airflow_pin.unpin(name, name)).version_number FROM name ORDER BY n;
SELECT n, string_agg(event, ' ' ORDER BY id) FROM name LEFT JOIN airflow_pin.pin_history ON dag_id = name GROUP BY n ORDER BY n;

-- Names in messages: as they are, and in the hint's SQL quoted.
SELECT version_number FROM airflow_pin.pin('it''s "one" \ two', 1, 'reject');
CALL lab.run('it''s "one" \ two', 'it''s "one" \ two', 'manual');
CALL lab.run('it''s "one" \ two', '%s %n', 'manual');
SELECT airflow_pin.pin('%s %n nowhere');
SELECT airflow_pin.pin(repeat('x', 251)) AS longer_than_a_name;
SELECT version_number FROM airflow_pin.unpin('it''s "one" \ two');

-- Names are compared byte by byte: another case, another normal form, a trailing space are other DAGs.
SELECT version_number FROM airflow_pin.pin(' ', 1);
CALL lab.two_versions('  ');
CALL lab.two_versions('CASE');
CALL lab.two_versions('case');
CALL lab.two_versions(U&'e\0301');
CALL lab.two_versions('é');
SELECT (airflow_pin.pin('case', 1)).version_number, (airflow_pin.pin('é', 1)).version_number;
CALL lab.run('  ', 'two spaces');
CALL lab.run('CASE', 'upper');
CALL lab.run('case', 'lower');
CALL lab.run(U&'e\0301', 'decomposed');
CALL lab.run('é', 'composed');
SELECT run_id, version FROM lab.runs WHERE run_id IN ('two spaces', 'upper', 'lower', 'decomposed', 'composed') ORDER BY run_id;

-- JSON keys that look like Airflow's own, deep nesting, and a serialized DAG that is not an object.
CALL lab.version('json', 'a', ARRAY[lab.task('t', '{"__var": {"task_id": "not me"}, "__type": "x", "task_id": "t", "retries": 2}')]);
CALL lab.version('json', 'b', ARRAY[lab.task('u')]);
SELECT version_number FROM airflow_pin.pin('json', 1);
CALL lab.run('json', 'json', conf => '{"__type": "dict", "__var": {"airflow_pin_version": 2}}');
SELECT task_id, max_tries FROM lab.tasks WHERE run_id = 'json';
UPDATE serialized_dag SET data = '[]' WHERE dag_id = 'json';
CALL lab.run('json', 'array');
SELECT version_number FROM airflow_pin.pin('json', 2, 'reject');
UPDATE serialized_dag SET data = '"text"' WHERE dag_id = 'json';
SELECT airflow_pin.pin('json', 1, 'rewrite');
SELECT airflow_pin.diff('json', 1, 2);
SELECT drift FROM airflow_pin.pins() WHERE dag_id = 'json';
SELECT state, version FROM lab.runs WHERE run_id = 'array';
UPDATE serialized_dag SET data = jsonb_build_object('__version', 3, 'dag', jsonb_build_object('tasks', jsonb_build_array(
    lab.task('deep', jsonb_build_object('executor_config', jsonb_build_object('__type', 'dict', '__var', jsonb_build_object('k',
        (repeat('[', 2000) || repeat(']', 2000))::jsonb))))))) WHERE dag_version_id = lab.uuid('json1');
SELECT version_number FROM airflow_pin.pin('json', 1, 'rewrite');
