-- What a database in use has besides finished runs: 1,000 that go on, however large it is, and a few rows
-- that a migration will not like. Run it after tools/migration-plan/seed.sql, with
-- session_replication_role = replica.
\set ON_ERROR_STOP on

-- Each fifth of them has not begun; none has waited for long.
CREATE TEMP TABLE unfinished AS
SELECT id, dag_id, run_id, id % 5 = 0 AS queued
FROM dag_run WHERE id > (SELECT max(id) FROM dag_run) - 1000;
ANALYZE unfinished;

UPDATE dag_run r SET state = CASE WHEN queued THEN 'queued' ELSE 'running' END, queued_at = now() - interval '5 min',
       start_date = CASE WHEN queued THEN NULL ELSE now() - interval '4 min' END, end_date = NULL
FROM unfinished u WHERE u.id = r.id;

UPDATE task_instance t SET end_date = NULL, duration = NULL, updated_at = now(), queued_dttm = now() - interval '3 min',
       start_date = now() - interval '2 min', state = CASE WHEN queued THEN NULL ELSE
           (ARRAY['running', 'queued', 'scheduled', 'up_for_retry', 'deferred'])[1 + right(task_id, 1)::int % 5] END
FROM unfinished u WHERE t.dag_id = u.dag_id AND t.run_id = u.run_id;

-- Some that refer to nothing, and values that are no JSON for PostgreSQL: not where it is to be migrated.
\if :{?bad}
UPDATE ab_user_role SET user_id = -id WHERE id % 500000 = 0;
UPDATE task_reschedule SET task_id = 'gone' WHERE id % 1000000 = 0;
UPDATE xcom SET value = convert_to('{"rows": NaN}', 'UTF8')
WHERE dag_run_id % 500000 = 1 AND task_id = 'task_0';
UPDATE dag_run SET conf = '\x80059511000000000000007d948c016194477ff8000000000000732e' WHERE id % 500000 = 2;
\endif
