-- So many DAGs, each of two versions with three tasks and pinned to the first, and as many that are not.
-- Variable: dags.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION airflow_pin;
SELECT airflow_pin.attach();

CREATE FUNCTION task(name text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('__type', 'operator', '__var', jsonb_build_object('task_id', name, 'task_type', 'EmptyOperator'))
$$;
INSERT INTO dag_bundle (name) VALUES ('bench');
INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, bundle_version, max_active_tasks, max_consecutive_failed_dag_runs,
                 has_task_concurrency_limits, timetable_type, fail_fast, partition_mapper_info)
    SELECT kind || n, false, false, 'bench', 'c2', 16, 0, false, '', false, '{}'
    FROM unnest(ARRAY['dag_', 'free_']) kind, generate_series(1, :dags) n;
INSERT INTO dag_version (id, version_number, dag_id, bundle_name, bundle_version, created_at, last_updated)
    SELECT md5(dag_id || number)::uuid, number, dag_id, bundle_name, 'c' || number, now(), now() FROM dag, generate_series(1, 2) number;
INSERT INTO serialized_dag (id, dag_id, dag_version_id, dag_hash, data, created_at, last_updated)
    SELECT id, dag_id, id, md5(id::text),
           jsonb_build_object('__version', 3, 'dag', jsonb_build_object('dag_id', dag_id, 'tasks',
               jsonb_build_array(task('extract'), task('load'), task(CASE version_number WHEN 1 THEN 'check' ELSE 'report' END)))),
           now(), now()
    FROM dag_version;
INSERT INTO dag_code (id, dag_id, fileloc, source_code, source_code_hash, dag_version_id, created_at, last_updated)
    SELECT id, dag_id, dag_id || '.py', 'pass', md5(id::text), id, now(), now() FROM dag_version;
VACUUM ANALYZE;

-- The first DAG is pinned to version 1, then to 2; the others get rows like its own.
SELECT airflow_pin.pin('dag_1', 1);
SELECT airflow_pin.pin('dag_1', 2);
CREATE FUNCTION of_dag(pin jsonb, dag text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT pin || jsonb_build_object('dag_id', dag, 'dag_version_id', id, 'dag_hash', md5(id::text), 'source_code_hash', md5(id::text))
    FROM CAST(md5(dag || (pin ->> 'version_number')) AS uuid) id
$$;
INSERT INTO airflow_pin.pin_history (dag_id, event, from_version, to_version, from_bundle_version, to_bundle_version,
                                     valid_from, expires_at, pin)
    SELECT 'dag_' || n, event, from_version, to_version, from_bundle_version, to_bundle_version, valid_from, expires_at,
           of_dag(pin, 'dag_' || n)
    FROM airflow_pin.pin_history h, generate_series(2, :dags) n ORDER BY n, h.id;
INSERT INTO airflow_pin.pinned_version
    SELECT (jsonb_populate_record(p, of_dag(to_jsonb(p), h.dag_id) || jsonb_build_object('history_id', h.id))).*
    FROM airflow_pin.pinned_version p, airflow_pin.pin_history h WHERE h.to_version = 2 AND h.dag_id <> 'dag_1';
CREATE SEQUENCE to_roll_back START 1001;
VACUUM ANALYZE;
