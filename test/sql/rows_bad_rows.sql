-- bad_rows(): what makes "airflow db migrate" fail, and the SQL that mends it. test/airflow/preflight takes the
-- same rows to the real migration.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
SET client_min_messages = warning;
CREATE EXTENSION airflow_pin;
RESET client_min_messages;
\set ECHO all

-- No Airflow tables; limits.
SELECT * FROM airflow_pin.bad_rows();
SELECT * FROM airflow_pin.bad_rows(max_rows => -1);
\echo :SQLSTATE

-- Airflow 2.11, all in order.
\set ECHO none
\i :abs_srcdir/fixtures/health_airflow2.sql
\set ECHO all
INSERT INTO dag (dag_id, has_task_concurrency_limits, max_active_tasks, max_consecutive_failed_dag_runs) VALUES ('d', false, 1, 0);
INSERT INTO dag_run (id, dag_id, run_id, execution_date, run_type)
    SELECT i, 'd', 'r' || i, '2024-01-01'::timestamptz + i * interval '1 day', 'manual' FROM generate_series(1, 12) i;
INSERT INTO task_instance (dag_id, task_id, run_id, map_index, pool_slots, pool)
    SELECT 'd', 't', 'r' || i, -1, 1, 'default_pool' FROM generate_series(1, 12) i;
INSERT INTO task_reschedule (id, dag_id, task_id, run_id, try_number, start_date, end_date, duration, reschedule_date)
    VALUES (1, 'd', 't', 'r1', 1, now(), now(), 1, now());
INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp) VALUES
    (1, 'd', 't', 'r1', 'json', '{"a": [1, 2.5, null, "x"]}', now()), (1, 'd', 't', 'r1', 'null', NULL, now());
UPDATE dag_run SET conf = '\x80057d942e' WHERE id = 1;                            -- {}
UPDATE dag_run SET conf = '\x80059509000000000000007d948c0161944b01732e' WHERE id = 2; -- {'a': 1}
SELECT * FROM airflow_pin.bad_rows();

-- Orphans.
SET session_replication_role = replica;
INSERT INTO task_reschedule (id, dag_id, task_id, run_id, try_number, start_date, end_date, duration, reschedule_date)
    VALUES (2, 'd', 'lost', 'r1', 1, now(), now(), 1, now()), (3, 'd', 't', 'lost', 1, now(), now(), 1, now());
INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp) VALUES (1, 'd', 'lost', 'r1', 'k', '1', now());
INSERT INTO task_instance_history (id, dag_id, task_id, run_id, map_index, try_number, pool, pool_slots)
    VALUES (1, 'd', 't', 'r1', 7, 1, 'p', 1);
INSERT INTO rendered_task_instance_fields (dag_id, task_id, run_id, rendered_fields) VALUES ('d', 'lost', 'r1', '{}');
INSERT INTO task_map (dag_id, task_id, run_id, map_index, length) VALUES ('d', 'lost', 'r1', -1, 1);
INSERT INTO task_fail (id, dag_id, task_id, run_id) VALUES (1, 'd', 'lost', 'r1');
INSERT INTO task_instance_note (dag_id, task_id, run_id, map_index, created_at, updated_at) VALUES ('d', 'lost', 'r1', -1, now(), now());
INSERT INTO dag_run_note (dag_run_id, created_at, updated_at) VALUES (99, now(), now());
INSERT INTO dataset_alias_dataset VALUES (1, 2);
INSERT INTO dag_schedule_dataset_reference VALUES (1, 'gone', now(), now());
RESET session_replication_role;
SELECT check_name, severity, object, value, message FROM airflow_pin.bad_rows();
SELECT fix_sql FROM airflow_pin.bad_rows() WHERE object LIKE 'task_reschedule%' OR object LIKE 'dag_run_note%';
CALL lab.mend('airflow_pin.bad_rows(bigint, interval, text)');
SELECT check_name, severity, message FROM airflow_pin.bad_rows();
SELECT id FROM task_reschedule;
SELECT key FROM xcom ORDER BY key;

-- Long names of datasets.
INSERT INTO dataset (id, uri, extra, created_at, updated_at) VALUES
    (1, repeat('x', 1501), '{}', now(), now()), (2, repeat('y', 1400), '{}', now(), now()), (3, repeat('z', 1300), '{}', now(), now());
INSERT INTO dataset_alias (id, name) VALUES (1, repeat('x', 1501));
SELECT severity, object, value, message, hint, fix_sql FROM airflow_pin.bad_rows();
CALL lab.mend('airflow_pin.bad_rows(bigint, interval, text)');
SELECT check_name, severity FROM airflow_pin.bad_rows();
SELECT length(uri) FROM dataset ORDER BY id;

-- XCom values. What the migration makes of them is known from the migration itself.
CREATE FUNCTION lab.xcoms(VARIADIC texts bytea[]) RETURNS TABLE (severity text, value text, message text, hint text) LANGUAGE sql AS $$
    DELETE FROM xcom;
    INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp)
        SELECT 1, 'd', 't', 'r1', i, t, now() FROM unnest(texts) WITH ORDINALITY u (t, i);
    SELECT severity, value, message, hint FROM airflow_pin.bad_rows() WHERE check_name = 'xcom_values'
$$;
SELECT * FROM lab.xcoms('{"a": "b"}', '1', 'null', '"x"', '[]', ' {} ', '"NaN"', '"a \\\\u0000"', '{"NaN": "Infinity"}');
SELECT * FROM lab.xcoms('', 'no json', '{"a": }', '\xffff', '"\\ud800"', '"\\udc00 x"', 'nan', '[NaNa]', '(dp0');
SELECT * FROM lab.xcoms('NaN', '-Infinity', '[NaN, Infinity]', '{"a": {"b": NaN}}', '{"a":NaN}', '["NaN", NaN]');
SELECT * FROM lab.xcoms('"a\\u0000b"', '["\\\\\\u0000"]', '{"\\u0000": 1}', '"\\u0000, NaN"');
SELECT * FROM lab.xcoms('["\\u0000", NaN]');
-- White space of JSON's around it; and what the migration's regular expression takes for no NaN, or is no JSON after it.
SELECT * FROM lab.xcoms('[ NaN\011,\012NaN\015,\011NaN\012,\015NaN ]');
SELECT * FROM lab.xcoms('[NaN\014]', '[\013NaN]', ' NaN', '[NaN ', '[NaN, x]', '"NaN\\');
SELECT * FROM lab.xcoms('\x80054b012e', '\x80');
-- What only releases before the newest fail on.
SELECT * FROM lab.xcoms('NaN', '"\\u0000"');
SELECT target, array_agg(severity ORDER BY message) AS severities
FROM (VALUES ('3.0.6'), ('3.1.0'), ('3.2.2'), ('3.3.2'), ('4.0.0')) t (target), airflow_pin.bad_rows(target => target) GROUP BY 1 ORDER BY 1;
SELECT * FROM airflow_pin.bad_rows(target => 'newest');
\echo :SQLSTATE

-- All of them at once, mended: NaN and \u0000 as Airflow 3.3 does it, what is no JSON moved out of the way.
SELECT * FROM lab.xcoms('{"a": "b"}', '', 'no json', '\xffff', '"\\ud800"', '[NaN, -Infinity, "NaN"]', '"a\\u0000b"', '"\\\\u0000"', '\x80054b012e',
                         '"in text: NaN, [Infinity]"', '"in text: NaN, \\u0000"', '["in text: , NaN, ", NaN]');
CALL lab.mend('airflow_pin.bad_rows(bigint, interval, text)');
SELECT severity, value, message FROM airflow_pin.bad_rows();
SELECT key, encode(value, 'escape') AS value FROM xcom ORDER BY key;
SELECT key, encode(value, 'escape') AS value FROM _xcom_not_json ORDER BY key;
DROP TABLE _xcom_not_json;

-- _xcom_archive of an earlier migration has the row that this one would put there.
CREATE TABLE _xcom_archive (dag_run_id int, task_id varchar, map_index int, key varchar, value bytea,
                            CONSTRAINT _xcom_archive_pkey PRIMARY KEY (dag_run_id, task_id, map_index, key));
INSERT INTO _xcom_archive SELECT dag_run_id, task_id, map_index, key, value FROM xcom;
SELECT check_name, severity, object, value, message, fix_sql FROM airflow_pin.bad_rows() WHERE severity = 'critical';
CALL lab.mend('airflow_pin.bad_rows(bigint, interval, text)');
SELECT check_name, severity FROM airflow_pin.bad_rows();
DELETE FROM xcom;

-- dag_run.conf, pickled by Python: protocols 0, 2 and 5.
CREATE FUNCTION lab.confs(VARIADIC confs bytea[]) RETURNS TABLE (severity text, value text, message text, hint text) LANGUAGE sql AS $$
    UPDATE dag_run SET conf = NULL;
    UPDATE dag_run r SET conf = c FROM unnest(confs) WITH ORDINALITY u (c, i) WHERE i = r.id;
    SELECT severity, value, message, hint FROM airflow_pin.bad_rows() WHERE check_name = 'dag_run_conf'
$$;
SELECT * FROM lab.confs(
    '\x80057d942e',                                                         -- {}
    '\x80059539000000000000007d94288c0161945d94284b01473ff8000000000000884e88658c0162948c01789485948c0163944affffffff8c0164948a050000000001752e',
    '\x80027d710058010000006171015801000000627102732e',                     -- {'a': 'b'}, protocol 2
    E'(dp0\\012Va\\012p1\\012I1\\012s.');                                   -- {'a': 1}, protocol 0
SELECT * FROM lab.confs('\x80059511000000000000007d948c016194477ff8000000000000732e');  -- {'a': nan}
SELECT * FROM lab.confs('\x8005950e000000000000007d948c0161948c0362006394732e');        -- {'a': 'b\0c'}
SELECT * FROM lab.confs('\x8005950e000000000000007d948c0161948c03eda08094732e');        -- {'a': '\ud800'}
SELECT * FROM lab.confs('\x8005950e000000000000007d948c0161948c03ed9fbf94732e');        -- {'a': '\ud7ff'}
SELECT * FROM lab.confs('\x80059511000000000000007d948c016194477ff0000000000000732e');  -- {'a': inf}
SELECT * FROM lab.confs('\x80059510000000000000007d948c0161948f94284b014b0290732e',     -- {'a': {1, 2}}
                        '\x8005950c000000000000007d948c01619443017894732e',             -- {'a': b'x'}
                        '\x80057d94', '\x00', '', '\x80059508000000000000008c0161',     -- cut off
                        '\x80058cff61');
SELECT * FROM lab.confs('\x8005950e000000000000007d948c0161948c03eda08094732e', '\x80059509000000000000007d948c0161944b01732e',
                        E'(dp0\\012Va\\012p1\\012V\\\\uD8ff\\012s.', E'(dp0\\012Va\\012p1\\012V\\\\U0000dfFF\\012s.'); -- protocol 0
CALL lab.mend('airflow_pin.bad_rows(bigint, interval, text)');
SELECT check_name, severity FROM airflow_pin.bad_rows();
SELECT id, conf FROM dag_run WHERE id < 5 ORDER BY id;
SELECT * FROM _dag_run_conf_kept;
UPDATE dag_run SET conf = NULL;

-- Settings of the caller hide nothing. (PostgreSQL 19 has no strings of the old kind any more.)
UPDATE dag_run SET conf = decode('8005950e000000000000007d948c0161948c03eda08094732e', 'hex') WHERE id = 1;
INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp) VALUES (1, 'd', 't', 'r1', 'k', 'no json', now());
SET quote_all_identifiers = on;
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'standard_conforming_strings'
    AND current_setting('server_version_num')::int < 190000 \g /dev/null
SELECT check_name, severity, value, message FROM airflow_pin.bad_rows();
RESET standard_conforming_strings;
RESET quote_all_identifiers;
DELETE FROM xcom;
UPDATE dag_run SET conf = NULL;

-- Large tables and large values are read in part.
INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp)
    SELECT 1, 'd', 't', 'r1', i, 'bad', now() FROM generate_series(1, 12000) i;
INSERT INTO xcom (dag_run_id, dag_id, task_id, run_id, key, value, timestamp)
    VALUES (1, 'd', 't', 'r1', 'large', convert_to(repeat('x', 1048577), 'UTF8'), now());
VACUUM ANALYZE xcom;
SELECT check_name, severity, object, value > '0' AS some, regexp_replace(regexp_replace(message, '^\d+', 'N'), '\d+ %', 'P %') AS message
    FROM airflow_pin.bad_rows(max_rows => 5000, max_time => NULL);
SELECT check_name, severity, object, value FROM airflow_pin.bad_rows(max_time => NULL);
SELECT check_name, severity, object, value FROM airflow_pin.bad_rows(NULL, NULL);
DELETE FROM xcom;

-- Who only monitors.
CREATE ROLE regress_health_monitor;
GRANT pg_monitor TO regress_health_monitor;
SET ROLE regress_health_monitor;
SELECT check_name, severity, message FROM airflow_pin.bad_rows();
RESET ROLE;

-- Airflow 3.0: other steps are left, and those of 2.x are done.
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
\i :abs_srcdir/fixtures/health_airflow30.sql
RESET client_min_messages;
\set ECHO all
BEGIN READ ONLY;
SELECT * FROM airflow_pin.bad_rows();
COMMIT;
SET session_replication_role = replica;
INSERT INTO deadline (id, deadline, callback) VALUES (gen_random_uuid(), now(), 'c');
SELECT severity, message, hint FROM airflow_pin.bad_rows(target => '3.1.8');
SELECT severity, fix_sql FROM airflow_pin.bad_rows(target => '3.2.2');
DELETE FROM deadline;
INSERT INTO dag (dag_id, has_task_concurrency_limits, max_active_tasks, max_consecutive_failed_dag_runs, bundle_name, is_stale)
    VALUES ('d', false, 1, 0, 'gone', false);
INSERT INTO task_instance (id, dag_id, task_id, run_id, map_index, pool_slots, pool, dag_version_id)
    SELECT gen_random_uuid(), 'd', 't', 'r', i, 1, 'p', gen_random_uuid() FROM generate_series(1, 2) i;
INSERT INTO serialized_dag (id, dag_id, data, created_at, last_updated, dag_hash, dag_version_id)
    SELECT gen_random_uuid(), 'd', data::json, now(), now(), 'h', gen_random_uuid() FROM (VALUES ('{}'), ('["\u0000"]'), ('{"a": "\ud800 \ud83d\ude00 \udc00 \\\\ud800 \\\\u0000 \\\u0000"}')) v (data);
CREATE TABLE slot_pool (id int, pool text, team_id uuid);
CREATE TABLE dag_bundle_team (dag_bundle_name text, team_id uuid);
INSERT INTO slot_pool VALUES (1, 'a', NULL), (2, 'b', gen_random_uuid());
INSERT INTO dag_bundle_team VALUES ('gone', gen_random_uuid());
RESET session_replication_role;
SELECT check_name, severity, object, value, message, hint, fix_sql FROM airflow_pin.bad_rows();
CALL lab.mend('airflow_pin.bad_rows(bigint, interval, text)');
SELECT check_name, severity, object FROM airflow_pin.bad_rows();
SELECT data, data::jsonb IS NOT NULL AS castable FROM serialized_dag ORDER BY data::text;
SELECT dag_version_id FROM task_instance;
SELECT name, active FROM dag_bundle;

\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA lab CASCADE;
DROP EXTENSION airflow_pin CASCADE;
DROP ROLE regress_health_monitor;
