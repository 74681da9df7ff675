-- Fill a fresh Airflow 2.10/2.11 metadata database, always with the same rows:
--
--   psql -v runs=300000 -v logs=2000000 -v users=1000000 -f tools/migration-plan/seed.sql DATABASE
--
-- A run has 7 task instances, 3 XComs and 2 log records for each of its own; two runs in three have a
-- task that was tried before, and each has one or two reschedules. A user has 5 roles. With the numbers
-- above that is the benchmark: 300k runs, 2.1M task instances, 200k tries before, 900k XComs, 2M log
-- records, 500k reschedules, 1M users and 5M user roles. "confs" of the runs carry a conf. Other shapes,
-- as test/bench/data wants them: "dags" (100), "tasks" of each (7, at least 3), "step" between runs.
\set ON_ERROR_STOP on
\if :{?confs} \else \set confs 1000 \endif
\if :{?dags} \else \set dags 100 \endif
\if :{?tasks} \else \set tasks 7 \endif
\if :{?step} \else \set step '10 min' \endif
SET client_min_messages = warning;
SELECT setseed(0.42);

INSERT INTO dag (dag_id, is_paused, is_subdag, is_active, fileloc, max_active_tasks,
                 max_consecutive_failed_dag_runs, has_task_concurrency_limits, schedule_interval)
SELECT 'dag_' || d, false, false, true, '/dags/dag_' || d || '.py', 16, 0, false, '"@daily"'
FROM generate_series(0, :dags - 1) d;

INSERT INTO dag_code (fileloc_hash, fileloc, last_updated, source_code)
SELECT d, '/dags/dag_' || d || '.py', now(), repeat('print("hello")' || chr(10), 50)
FROM generate_series(0, :dags - 1) d;

INSERT INTO serialized_dag (dag_id, fileloc, fileloc_hash, data, last_updated, dag_hash)
SELECT 'dag_' || d, '/dags/dag_' || d || '.py', d,
       json_build_object('__version', 1, 'dag', json_build_object('_dag_id', 'dag_' || d, 'tasks', tasks)),
       now(), md5(d::text)
FROM generate_series(0, :dags - 1) d, LATERAL (
    SELECT json_agg(json_build_object('__type', 'operator', '__var', json_build_object(
               'task_id', 'task_' || k, '_task_type', 'BashOperator', '_task_module', 'airflow.operators.bash',
               'bash_command', 'echo ' || md5(d || ' ' || k), 'template_fields', '{bash_command,env,cwd}'::text[],
               'ui_color', '#f0ede4', 'downstream_task_ids', ARRAY['task_' || k + 1]))) AS tasks
    FROM generate_series(0, :tasks - 1) k) t;

INSERT INTO dag_tag (name, dag_id) SELECT 'tag', dag_id FROM dag;
INSERT INTO dag_owner_attributes (dag_id, owner, link) SELECT dag_id, 'airflow', 'mailto:a@b.c' FROM dag;
INSERT INTO import_error (timestamp, filename, stacktrace) VALUES (now(), '/dags/broken.py', 'no');
INSERT INTO dag_warning (dag_id, warning_type, message, timestamp)
SELECT dag_id, 'non-existent pool', 'no', now() FROM dag LIMIT 3;

-- \x80057d942e is the pickle of {}; \x8004…2e that of {"a": 1}.
INSERT INTO dag_run (dag_id, run_id, run_type, state, execution_date, start_date, end_date, queued_at,
                     data_interval_start, data_interval_end, external_trigger, conf, dag_hash,
                     log_template_id, updated_at, creating_job_id)
SELECT 'dag_' || r % :dags, 'scheduled__' || t::text, 'scheduled', 'success', t, t, t + '5 min', t, t,
       t + '1 hour', false,
       CASE WHEN r <= :confs THEN '\x80047d948c0161944b01732e' ELSE '\x80057d942e' END::bytea,
       md5(r::text), NULL, t, 1
FROM (SELECT r, timestamptz '2020-01-01 UTC' + r * interval :'step' AS t
      FROM generate_series(1, :runs) r) runs;

CREATE TEMP TABLE instance AS
SELECT r.id AS dag_run_id, r.dag_id, r.run_id, r.execution_date AS t, 'task_' || k AS task_id, k
FROM dag_run r, generate_series(0, :tasks - 1) k ORDER BY r.id, k;
ANALYZE instance;

INSERT INTO trigger (classpath, kwargs, created_date) VALUES ('airflow.triggers.X', '{}', now());

INSERT INTO task_instance (task_id, dag_id, run_id, map_index, start_date, end_date, duration, state,
                           try_number, max_tries, hostname, unixname, job_id, pool, pool_slots, queue,
                           priority_weight, operator, queued_dttm, pid, executor_config, updated_at,
                           external_executor_id)
SELECT task_id, dag_id, run_id, -1, t, t + '1 min', 60, 'success', 1, 1, 'worker-7.airflow.svc', 'airflow',
       1, 'default_pool', 1, 'default', 1, 'PythonOperator', t, 100, '\x80057d942e', t,
       md5(random()::text)
FROM instance;

INSERT INTO task_instance_history (task_id, dag_id, run_id, map_index, try_number, start_date, end_date,
                                   duration, state, max_tries, hostname, unixname, job_id, pool,
                                   pool_slots, queue, priority_weight, operator, queued_dttm, pid,
                                   executor_config, updated_at)
SELECT task_id, dag_id, run_id, -1, 1, t, t + '1 min', 60, 'failed', 1, 'worker-7.airflow.svc', 'airflow',
       1, 'default_pool', 1, 'default', 1, 'PythonOperator', t, 100, '\x80057d942e', t
FROM instance WHERE k = 0 AND dag_run_id % 3 < 2;

INSERT INTO task_reschedule (task_id, dag_id, run_id, map_index, try_number, start_date, end_date,
                             duration, reschedule_date)
SELECT task_id, dag_id, run_id, -1, 1, t, t + '1 min', 60, t + '2 min'
FROM instance WHERE k = 1 OR (k = 2 AND dag_run_id % 3 < 2);

INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
SELECT dag_run_id, task_id, -1, 'return_value', dag_id, run_id,
       convert_to('{"path": "s3://bucket/' || md5(random()::text) || '", "rows": ' || dag_run_id || '}', 'UTF8'), t
FROM instance WHERE k < 3;

INSERT INTO rendered_task_instance_fields (dag_id, task_id, run_id, map_index, rendered_fields)
SELECT dag_id, task_id, run_id, -1, '{"bash_command": "echo"}' FROM instance WHERE k = 3 % :tasks AND dag_run_id % 30 = 0;
INSERT INTO task_fail (task_id, dag_id, run_id, map_index, start_date, end_date, duration)
SELECT task_id, dag_id, run_id, -1, t, t, 1 FROM instance WHERE k = 4 % :tasks AND dag_run_id % 30 = 0;
INSERT INTO task_map (dag_id, task_id, run_id, map_index, length)
SELECT dag_id, task_id, run_id, -1, 3 FROM instance WHERE k = 5 % :tasks AND dag_run_id % 30 = 0;
INSERT INTO task_instance_note (task_id, dag_id, run_id, map_index, content, created_at, updated_at)
SELECT task_id, dag_id, run_id, -1, 'note', t, t FROM instance WHERE k = 6 % :tasks AND dag_run_id % 300 = 0;
INSERT INTO dag_run_note (dag_run_id, content, created_at, updated_at)
SELECT dag_run_id, 'note', t, t FROM instance WHERE k = 6 % :tasks AND dag_run_id % 300 = 0;
INSERT INTO sla_miss (task_id, dag_id, execution_date, email_sent, timestamp)
SELECT task_id, dag_id, t, true, t FROM instance WHERE k = 6 % :tasks AND dag_run_id % 300 = 0;

INSERT INTO log (dttm, dag_id, task_id, map_index, event, execution_date, run_id, owner, extra, try_number)
SELECT timestamptz '2020-01-01 UTC' + l * interval '1 min', 'dag_' || l % :dags, 'task_' || l % :tasks, -1,
       CASE l % 4 WHEN 0 THEN 'running' WHEN 1 THEN 'success' WHEN 2 THEN 'cli_task_run' ELSE 'failed' END,
       timestamptz '2020-01-01 UTC' + l * interval '1 min', 'scheduled__x', 'airflow',
       '{"host_name": "worker-7", "full_command": "[''airflow'', ''tasks'', ''run'']"}', 1
FROM generate_series(1, :logs) l;
INSERT INTO job (dag_id, state, job_type, start_date, latest_heartbeat, hostname)
SELECT 'dag_1', 'success', 'LocalTaskJob', now(), now(), 'worker' FROM generate_series(1, :runs / 30);

INSERT INTO dataset (uri, extra, created_at, updated_at, is_orphaned)
SELECT 's3://bucket/' || d, '{}', now(), now(), false FROM generate_series(1, 20) d;
INSERT INTO dataset_event (dataset_id, extra, source_task_id, source_dag_id, source_run_id, timestamp)
SELECT 1 + dag_run_id % 20, '{}', task_id, dag_id, run_id, t FROM instance WHERE k = 0 AND dag_run_id % 30 = 0;
INSERT INTO dataset_alias (name) SELECT 'alias_' || d FROM generate_series(1, 20) d;
INSERT INTO dataset_alias_dataset (alias_id, dataset_id) SELECT a.id, d.id FROM dataset_alias a JOIN dataset d USING (id);
INSERT INTO dataset_alias_dataset_event (alias_id, event_id) SELECT 1 + id % 20, id FROM dataset_event;
INSERT INTO dagrun_dataset_event (dag_run_id, event_id)
SELECT r.id, e.id FROM dataset_event e JOIN dag_run r ON r.dag_id = e.source_dag_id AND r.run_id = e.source_run_id;
INSERT INTO dag_schedule_dataset_reference (dataset_id, dag_id, created_at, updated_at)
SELECT 1, dag_id, now(), now() FROM dag;
INSERT INTO dag_schedule_dataset_alias_reference (alias_id, dag_id, created_at, updated_at)
SELECT 1, dag_id, now(), now() FROM dag;
INSERT INTO task_outlet_dataset_reference (dataset_id, dag_id, task_id, created_at, updated_at)
SELECT 1, dag_id, 'task_0', now(), now() FROM dag;
INSERT INTO dataset_dag_run_queue (dataset_id, target_dag_id, created_at) SELECT 1, dag_id, now() FROM dag;

INSERT INTO connection (conn_id, conn_type, host, is_encrypted, is_extra_encrypted)
SELECT 'conn_' || c, 'http', 'host', false, false FROM generate_series(1, 100) c;
INSERT INTO variable (key, val, is_encrypted) SELECT 'var_' || v, 'x', false FROM generate_series(1, 100) v;
INSERT INTO slot_pool (pool, slots, include_deferred) SELECT 'pool_' || p, 8, false FROM generate_series(1, 20) p;

INSERT INTO ab_role (name) SELECT 'role_' || r FROM generate_series(1, 200) r ON CONFLICT DO NOTHING;
INSERT INTO ab_user (id, first_name, last_name, username, password, active, email)
SELECT u, 'first', 'last', 'user_' || u, md5(u::text), true, 'user_' || u || '@example.com'
FROM generate_series(1, :users) u;
INSERT INTO ab_user_role (id, user_id, role_id)
SELECT (u - 1) * 5 + k, u, r.id
FROM generate_series(1, :users) u, generate_series(1, 5) k
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM ab_role) r ON r.n = k;
INSERT INTO ab_permission (id, name) SELECT p, 'can_' || p FROM generate_series(1000, 1020) p;
INSERT INTO ab_view_menu (id, name) SELECT m, 'menu_' || m FROM generate_series(1000, 1100) m;
INSERT INTO ab_permission_view (id, permission_id, view_menu_id)
SELECT 10000 + row_number() OVER (), p.id, m.id FROM ab_permission p, ab_view_menu m WHERE p.id >= 1000 AND m.id >= 1000;
INSERT INTO ab_permission_view_role (id, permission_view_id, role_id)
SELECT 100000 + row_number() OVER (), v.id, r.id FROM ab_permission_view v, (SELECT id FROM ab_role LIMIT 5) r;

ANALYZE;
