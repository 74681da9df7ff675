-- A version's content as jsonb, as json of earlier Airflows, and compressed with zlib.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- zlib.compress(json.dumps(data, sort_keys=True).encode()), as SerializedDagModel does it: a DAG with tasks
-- "extract" (retries 2, pool "Pül") and "l☃ad" (queue "q").
\set compressed '\\x789c8590cf0e82300c875f85eccc8140e2c1ab0f207731a442d5c5c9a0eb8c4878773b02fe39b1cbdafddaef4b36a8b27c20396d1bb58db23852355ca41ac25dea5a4af552f2cce06e4ebac3201bdcb71812db22015b0a03c2019a365b6b4d48f3c227c9b932212564d21800e90c9be1f864828a17c5079df77cb5cd7e118c631cad9b3b8f7e8a3bf56f31854f374906f5bae71826f41d194e0627ead7ba23f9a65fe328e70deaf5669e'
-- The same with a million characters of documentation: more than the first buffer holds.
\set compressed_large '\\x789cedcdc14ec2401006e05769f6cc8140e281ab0f2077319b0aab36160aa52560c3bbdb12d170e201fcbecbcece4ce6ef428c8754ef8b6a1366d974948555fede57ddf0c662d597e12b0ced6a19d797ef110000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000f8b7c2280b4dbeffdc8759f6dc85189bd336f575a8b6a9ce9baa1e16623ce475dfecc2b6aaca613a5fb4e3f1dbb21ca6756aea220d07263fc762b11a96d2b1a9f365738df83d3d3f351fd5e6e91a703e8fb2fbc9bb36b597f12edca6948b76f2309ee6abfb392fc346b14e4dfe5aa6cbd5bfd4c7badadc249e7bdfad77e37b'
-- Text that is no JSON, that is no UTF-8, that jsonb cannot hold, and an empty one.
\set compressed_text '\\x789ccbcb2f51c82acecf03000e26032c'
\set compressed_latin1 '\\x789cab568a8f2f4b2d2acecccf53b25230d651504a494c07b2aa954a128bb38b81ace858a0600590a1f447a9b616006dbe0eba'
\set compressed_nul '\\x789cab568a8f2f4b2d2acecccf53b25230d651504a494c07b2aa954a128bb38b81ace858a0600590a114536a00044ab5b500b3fc0f4f'
\set compressed_raw_nul '\\x789cab568a8f2f4b2d2acecccf53b25230d651504a494c07b2aa954a128bb38b81ace8d8da5a86a2d4e212002df90dd6'
\set compressed_empty '\\x789c030000000001'

CREATE PROCEDURE lab.stored(dag text, compressed bytea) LANGUAGE plpgsql AS $$
BEGIN
    CALL lab.two_versions(dag);
    PERFORM airflow_pin.pin(dag, 1);
    UPDATE serialized_dag SET data = NULL, data_compressed = compressed WHERE dag_version_id = lab.uuid(dag || 1);
    PERFORM lab.create_run(dag, dag);
END $$;
CALL lab.stored('compressed', :'compressed');
CALL lab.stored('compressed_large', :'compressed_large');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, task_id, version, pool, queue, max_tries FROM lab.tasks ORDER BY run_id, task_id;
-- Both versions compressed: what Airflow asked for is read, too, to keep what a hook changed.
UPDATE serialized_dag SET data = NULL, data_compressed = :'compressed' WHERE dag_version_id = lab.uuid('compressed2');
BEGIN;
CALL lab.run('compressed', 'hooked');
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, queue, dag_version_id)
    VALUES (gen_random_uuid(), 'extract', 'compressed', 'hooked', 0, 'hook', 1, 'hook', lab.uuid('compressed2'));
COMMIT;
SELECT task_id, version, pool, queue FROM lab.tasks WHERE run_id = 'hooked' ORDER BY task_id;
SELECT count(*) FROM airflow_pin.diff('compressed', 1, 2);
SELECT drift FROM airflow_pin.pins() WHERE dag_id = 'compressed';

-- Data that is cut, damaged or not what it should be: a failed run with the reason.
CALL lab.stored('cut', substr(:'compressed'::bytea, 1, 60));
CALL lab.stored('cut in the checksum', substr(:'compressed'::bytea, 1, length(:'compressed'::bytea) - 2));
CALL lab.stored('damaged', overlay(:'compressed'::bytea PLACING '\xffffffff' FROM 40));
CALL lab.stored('wrong checksum', substr(:'compressed'::bytea, 1, length(:'compressed'::bytea) - 1) || '\x00');
CALL lab.stored('gzip', '\x1f8b0800000000000003');
CALL lab.stored('one byte', '\x78');
CALL lab.stored('no byte', '\x');
CALL lab.stored('text', :'compressed_text');
CALL lab.stored('latin1', :'compressed_latin1');
CALL lab.stored('nul', :'compressed_nul');
CALL lab.stored('raw nul', :'compressed_raw_nul');
CALL lab.stored('empty', :'compressed_empty');
SELECT run_id, state, version, action, detail FROM lab.runs JOIN lab.decisions USING (run_id)
    WHERE run_id NOT LIKE 'compressed%' AND run_id <> 'hooked' ORDER BY run_id;

-- Where both columns are filled, data counts, as for Airflow.
CALL lab.two_versions('both');
UPDATE serialized_dag SET data_compressed = :'compressed' WHERE dag_version_id = lab.uuid('both1');
SELECT version_number FROM airflow_pin.pin('both', 1);
CALL lab.run('both', 'both');
SELECT string_agg(task_id, ' ' ORDER BY task_id) AS tasks FROM lab.tasks WHERE run_id = 'both';

-- json, as Airflow 3.0 and 3.1 have it: with repeated keys the last counts, as for Python.
ALTER TABLE serialized_dag ALTER data TYPE json;
ALTER TABLE task_instance ALTER context_carrier TYPE json;
CALL lab.two_versions('json');
UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [
    {"__type": "operator", "__var": {"task_id": "extract", "retries": 1, "retries": 5}}]}}' WHERE dag_version_id = lab.uuid('json1');
SELECT version_number FROM airflow_pin.pin('json', 1);
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('json', 'json', 'scheduled', 'queued', 'b', lab.uuid('json2'));
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, context_carrier, dag_version_id)
    VALUES (gen_random_uuid(), 'report', 'json', 'json', 0, 'default_pool', 1,
            '{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "x"}', lab.uuid('json2'));
COMMIT;
SELECT task_id, version, max_tries FROM lab.tasks WHERE run_id = 'json';
SELECT left(context_carrier ->> 'traceparent', 36) AS trace, right(context_carrier ->> 'traceparent', 3) AS flags,
       context_carrier ->> 'traceparent' LIKE '%b7ad6b7169203331%' AS same_span, context_carrier ->> 'tracestate' AS state
    FROM task_instance WHERE run_id = 'json';
-- A \u0000 is valid in json, not in jsonb.
UPDATE serialized_dag SET data = '{"__version": 3, "dag": {"tasks": [], "doc_md": "\u0000"}}' WHERE dag_version_id = lab.uuid('json1');
SELECT airflow_pin.pin('json', 1);
\echo :SQLSTATE
