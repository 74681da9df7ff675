-- Serialized DAGs, so many that the migration from 3.1.8, which rewrites them as jsonb, takes some seconds.
CREATE EXTENSION airflow_pin;
INSERT INTO dag_bundle (name) VALUES ('git');
INSERT INTO dag (dag_id, bundle_name, max_active_tasks, max_consecutive_failed_dag_runs, has_task_concurrency_limits)
VALUES ('d', 'git', 1, 0, false);
INSERT INTO dag_version (id, dag_id, version_number, created_at, last_updated)
SELECT gen_random_uuid(), 'd', i, now(), now() FROM generate_series(1, 300000) i;
INSERT INTO serialized_dag (id, dag_id, dag_version_id, dag_hash, data, created_at, last_updated)
SELECT gen_random_uuid(), 'd', id, md5(id::text),
       (SELECT json_object_agg(n, md5(n::text)) FROM generate_series(1, 40) n), now(), now()
FROM dag_version;
ANALYZE;
