-- Rows for the tables that Airflow 3 added and that a database migrated from 2.x has empty: run it on
-- such a database, of any 3.x release.
\set ON_ERROR_STOP on
DO $$
BEGIN
    INSERT INTO dag_version (id, version_number, dag_id, created_at, last_updated)
    SELECT gen_random_uuid(), 1, dag_id, now(), now() FROM dag;
    INSERT INTO serialized_dag (id, dag_id, dag_version_id, data, created_at, last_updated, dag_hash)
    SELECT gen_random_uuid(), dag_id, id,
           json_build_object('__version', 2, 'dag', json_build_object('dag_id', dag_id, 'tasks', '[]'::json)),
           now(), now(), md5(dag_id)
    FROM dag_version;
    INSERT INTO dag_code (id, dag_id, dag_version_id, fileloc, source_code, source_code_hash, created_at, last_updated)
    SELECT gen_random_uuid(), dag_id, id, '/dags/x.py', 'x', md5(dag_id), now(), now() FROM dag_version;

    IF to_regclass('callback_request') IS NOT NULL THEN
        INSERT INTO callback_request (created_at, priority_weight, callback_data, callback_type)
        VALUES (now(), 1, '{}', 'DagCallback');
    END IF;

    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'deadline'::regclass AND attname = 'callback_kwargs') THEN
        INSERT INTO deadline (id, dag_id, dagrun_id, deadline, callback, callback_kwargs)
        SELECT gen_random_uuid(), dag_id, id, now(), 'a.b', '{}' FROM dag_run LIMIT 350;
    ELSIF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'deadline'::regclass AND attname = 'callback') THEN
        INSERT INTO deadline (id, dagrun_id, deadline_time, callback)
        SELECT gen_random_uuid(), id, now(),
               '{"__data__": {"path": "a.b", "kwargs": {}}, "__classname__": "airflow.sdk.definitions.deadline.AsyncCallback", "__version__": 0}'
        FROM dag_run LIMIT 350;
    ELSE
        INSERT INTO callback (id, type, fetch_method, data, priority_weight, created_at)
        SELECT gen_random_uuid(), 'triggerer', 'import_path', '{"path": "a.b", "kwargs": {}}', 1, now()
        FROM dag_run LIMIT 350;
        INSERT INTO deadline_alert (id, created_at, serialized_dag_id, reference, interval, callback_def)
        SELECT gen_random_uuid(), now(), id, '{}', '60', '{}' FROM serialized_dag;
        INSERT INTO deadline (id, created_at, last_updated_at, deadline_time, missed, callback_id)
        SELECT gen_random_uuid(), now(), now(), now(), false, id FROM callback;
    END IF;
END $$;
ANALYZE;
