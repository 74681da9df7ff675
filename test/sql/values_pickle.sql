-- executor_config is written as Airflow 3.3.2 writes it: pickled, byte by byte.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- The serialized executor_config as it is in a serialized DAG, and the bytes of
-- pickle.dumps(BaseSerialization.deserialize(...), 5), computed with Airflow 3.3.2 and Python 3.11.
CREATE TABLE expected (name text PRIMARY KEY, config jsonb, pickle bytea);
INSERT INTO expected VALUES
    ('empty', $${"__var": {}, "__type": "dict"}$$,
     '\x80057d942e'),
    ('scalars', $${"__var": {"a": 1, "b": "two", "c": null, "d": true, "e": false, "f": 1.5}, "__type": "dict"}$$,
     '\x80059531000000000000007d94288c0161944b018c0162948c0374776f948c0163944e8c016494888c016594898c016694473ff8000000000000752e'),
    ('integers', $${"__var": {"i0": 0, "i1": 255, "i2": 256, "i3": 65535, "i4": 65536, "i5": -1, "i6": 2147483647, "i7": -2147483648, "i8": 2147483648, "i9": -2147483649, "ia": 9223372036854775807, "ib": -9223372036854775808, "ic": 32768, "id": 128, "ie": -129, "if": 549755813888, "ig": -549755813888}, "__type": "dict"}$$,
     '\x800595b3000000000000007d94288c026930944b008c026931944bff8c026932944d00018c026933944dffff8c026934944a000001008c026935944affffffff8c026936944affffff7f8c026937944a000000808c026938948a0500000080008c026939948a05ffffff7fff8c026961948a08ffffffffffffff7f8c026962948a0800000000000000808c026963944d00808c026964944b808c026965944a7fffffff8c026966948a060000000080008c026967948a050000000080752e'),
    ('big_integers', $${"__var": {"i1": 9223372036854775808, "i2": -9223372036854775809, "i3": 18446744073709551616, "i4": 10000000000000000000000000000000000000000, "i5": -10000000000000000000000000000000000000000, "i6": 170141183460469231731687303715884105728, "i7": -170141183460469231731687303715884105728}, "__type": "dict"}$$,
     '\x80059594000000000000007d94288c026931948a090000000000000080008c026932948a09ffffffffffffff7fff8c026933948a090000000000000000018c026934948a11000000000061f5b9abbfa45cc3f129631d8c026935948a1100000000009f0a4654405ba33c0ed69ce28c026936948a1100000000000000000000000000000080008c026937948a1000000000000000000000000000000080752e'),
    ('floats', $${"__var": {"w": 1e-07, "x": 0.1, "y": -2.5, "z": 1.0, "zz": 300000.0}, "__type": "dict"}$$,
     '\x80059547000000000000007d94288c017794473e7ad7f29abcaf488c017894473fb999999999999a8c01799447c0040000000000008c017a94473ff00000000000008c027a7a944741124f8000000000752e'),
    ('one_member', $${"__var": {"k": "v"}, "__type": "dict"}$$,
     '\x8005950c000000000000007d948c016b948c017694732e'),
    ('nested', $${"__var": {"outer": {"__var": {"inner": [1, [2, "three"], {"__var": {"k": "v"}, "__type": "dict"}]}, "__type": "dict"}}, "__type": "dict"}$$,
     '\x80059536000000000000007d948c056f75746572947d948c05696e6e6572945d94284b015d94284b028c05746872656594657d948c016b948c017694736573732e'),
    ('lists', $${"__var": {"l0": [], "l1": [1], "l2": [1, 2]}, "__type": "dict"}$$,
     '\x80059523000000000000007d94288c026c30945d948c026c31945d944b01618c026c32945d94284b014b0265752e'),
    ('tuples', $${"__var": {"t0": {"__var": [], "__type": "tuple"}, "t1": {"__var": [1], "__type": "tuple"}, "t2": {"__var": [1, 2], "__type": "tuple"}, "t3": {"__var": [1, 2, 3], "__type": "tuple"}, "t4": {"__var": [1, 2, 3, 4], "__type": "tuple"}}, "__type": "dict"}$$,
     '\x8005953c000000000000007d94288c02743094298c027431944b0185948c027432944b014b0286948c027433944b014b024b0387948c02743494284b014b024b034b047494752e'),
    ('sets', $${"__var": {"s0": {"__var": [], "__type": "set"}, "s1": {"__var": ["only"], "__type": "set"}}, "__type": "dict"}$$,
     '\x8005951c000000000000007d94288c027330948f948c027331948f94288c046f6e6c799490752e'),
    ('key_order', $${"__var": {"bb": 1, "a": 2, "ccc": 3, "aaa": 4}, "__type": "dict"}$$,
     '\x80059522000000000000007d94288c0161944b028c026262944b018c03616161944b048c03636363944b03752e'),
    ('unicode', $${"__var": {"ключ": "значение ☃ 𝄞", "quote'\"\\": "back\\slash"}, "__type": "dict"}$$,
     '\x80059544000000000000007d94288c0871756f746527225c948c0a6261636b5c736c617368948c08d0bad0bbd18ed187948c19d0b7d0bdd0b0d187d0b5d0bdd0b8d0b520e2988320f09d849e94752e'),
    ('time_delta', $${"__var": {"d": {"__var": 86402.5, "__type": "timedelta"}}, "__type": "dict"}$$,
     '\x8005952e000000000000007d948c0164948c086461746574696d65948c0974696d6564656c74619493944b014b024a20a1070087945294732e');
SELECT lab.add_version('p', 'a', (SELECT array_agg(lab.task(name, jsonb_build_object('executor_config', config))
                                  ORDER BY name) FROM expected) || ARRAY[lab.task('without')]) \g /dev/null
CALL lab.commit('p', 'b', lab.task('without', '{"executor_config": {"__type": "dict", "__var": {"old": 1}}}'));
SELECT version_number FROM airflow_pin.pin('p', 1);
CALL lab.run('p', 'p1');
SELECT name, executor_config = pickle AS equal, CASE WHEN executor_config <> pickle THEN executor_config END AS instead
    FROM expected LEFT JOIN task_instance ON task_id = name ORDER BY name;
SELECT executor_config FROM task_instance WHERE task_id = 'without';
SELECT action FROM lab.decisions;

-- Long ones, as their MD5 of dill.dumps(config, 5), which Airflow uses: strings around 255 bytes, and
-- batches of 1000 elements. (pickle.dumps, in C, ends its batches otherwise.)
CREATE TABLE long (name text PRIMARY KEY, config jsonb, md5 text);
INSERT INTO long VALUES
    ('strings', jsonb_build_object('s', repeat('x', 255), 't', repeat('y', 256), 'u', repeat('é', 200)),
     '653b9c97e856dc77c6797d3b67d74ce7'),
    ('1001 members, 2001 elements', jsonb_build_object(
        'd', jsonb_build_object('__type', 'dict', '__var', (SELECT jsonb_object_agg('k' || lpad(i::text, 4, '0'), i) FROM generate_series(0, 1000) i)),
        'l', (SELECT jsonb_agg(i ORDER BY i) FROM generate_series(0, 2000) i)), '0e14531b609b2b92f703c00a8089451f'),
    ('2000 members, 1000 elements', jsonb_build_object(
        'd', jsonb_build_object('__type', 'dict', '__var', (SELECT jsonb_object_agg('k' || lpad(i::text, 4, '0'), i) FROM generate_series(0, 1999) i)),
        'l', (SELECT jsonb_agg(i ORDER BY i) FROM generate_series(0, 999) i)), '8a65a9c40b8fed2978d744fa65a07b92'),
    ('nearly a frame', jsonb_build_object('s', repeat('z', 65536 - 17)), '6fb876610b2a4eebe93d53bf3f5580e9');
SELECT lab.add_version('l', 'a', (SELECT array_agg(lab.task(name, jsonb_build_object('executor_config',
    jsonb_build_object('__type', 'dict', '__var', config)))) FROM long)) \g /dev/null
CALL lab.commit('l', 'b', lab.task('other'));
SELECT version_number FROM airflow_pin.pin('l', 1);
CALL lab.run('l', 'l1');
SELECT name, length(executor_config), md5(executor_config) = md5 AS equal FROM long LEFT JOIN task_instance ON task_id = name ORDER BY name;

-- A pod override is kept in Airflow's encoding, whatever is in it; JSON null is no config at all.
CALL lab.version('k', 'a', ARRAY[
    lab.task('pod', '{"executor_config": {"__type": "dict", "__var": {"pod_override": {"__type": "k8s.V1Pod", "__var":
        {"spec": {"containers": [{"name": "base", "image": "x"}]}, "metadata": null}}}}}'),
    lab.task('null', '{"executor_config": null}')]);
CALL lab.commit('k', 'b', lab.task('other'));
SELECT version_number FROM airflow_pin.pin('k', 1);
CALL lab.run('k', 'k1');
SELECT task_id, executor_config FROM task_instance WHERE run_id = 'k1' ORDER BY task_id;

-- What cannot be expressed is not approximated: pin() warns, the run fails, ...
CALL lab.version('u', 'a', ARRAY[lab.task('odd', '{"executor_config": {"__type": "dict", "__var": {"a": {"__type": "of_the_future", "__var": 1}}}}')]);
CALL lab.commit('u', 'b', lab.task('other'));
SELECT version_number FROM airflow_pin.pin('u', 1);
SELECT action FROM airflow_pin.resolve('u');
CALL lab.run('u', 'u1');
SELECT state, version FROM lab.runs WHERE run_id = 'u1';
SELECT action, requested, effective, detail FROM lab.decisions WHERE run_id = 'u1';
-- ... until Airflow itself has created a run of that version.
CALL lab.version('v', 'a', ARRAY[lab.task('odd', '{"executor_config": {"__type": "dict", "__var": {"a": {"__type": "of_the_future", "__var": 1}}}}')]);
CALL lab.run('v', 'by_airflow');
UPDATE task_instance SET executor_config = '\x0102' WHERE run_id = 'by_airflow';
CALL lab.commit('v', 'b', lab.task('other'));
SELECT version_number FROM airflow_pin.pin('v', 1);
CALL lab.run('v', 'v1');
SELECT state, version FROM lab.runs WHERE run_id = 'v1';
SELECT task_id, executor_config FROM task_instance WHERE run_id = 'v1';
-- Runs that differ tell nothing; NULL in all of them does, and a task that this run does not have is none of its.
UPDATE task_instance SET executor_config = '\x03' WHERE run_id = 'v1';
CALL lab.run('v', 'v2');
SELECT state, version FROM lab.runs WHERE run_id = 'v2';
UPDATE task_instance SET executor_config = NULL WHERE run_id IN ('by_airflow', 'v1');
CALL lab.unguarded($$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks,1}', lab.task('later',
    '{"start_date": 4102444800, "executor_config": {"__type": "dict", "__var": {"a": {"__type": "of_the_future", "__var": 1}}}}'))
    WHERE dag_version_id = lab.uuid('v1')$$);
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'later', 'v', 'by_airflow', 0, 'default_pool', 1, lab.uuid('v1'));
CALL lab.run('v', 'v3', at => '2026-01-01');
SELECT state, version FROM lab.runs WHERE run_id = 'v3';
SELECT task_id, executor_config FROM task_instance WHERE run_id = 'v3';
-- Two such tasks in one DAG.
CALL lab.version('w', 'a', ARRAY[lab.task('a', '{"executor_config": 1}'), lab.task('b', '{"executor_config": 2}')]);
SELECT version_number FROM airflow_pin.pin('w', 1);
