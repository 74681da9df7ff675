-- Several runs, savepoints and rolled-back pins in one session, with a warm cache.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
CALL lab.two_versions('e');
CALL lab.two_versions('free');
SELECT dag_id, (airflow_pin.pin(dag_id, 1)).version_number FROM unnest(ARRAY['d', 'e']) dag_id;

-- Several runs of several DAGs in one transaction.
BEGIN;
CALL lab.run('d', 'd1');
CALL lab.run('free', 'free1');
CALL lab.run('e', 'e1');
CALL lab.run('d', 'd2', 'manual');
COMMIT;
SELECT run_id, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, string_agg(task_id || ':' || version, ' ' ORDER BY task_id) AS tasks FROM lab.tasks GROUP BY 1 ORDER BY 1;

-- One statement, many runs.
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    SELECT dag, 'bulk_' || dag || i, 'scheduled', 'queued', 'b', lab.uuid(dag || '2')
    FROM unnest(ARRAY['d', 'e', 'free']) dag, generate_series(1, 200) i;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT gen_random_uuid(), task, dag_id, run_id, 0, 'default_pool', 1, lab.uuid(dag_id || '2')
    FROM dag_run, unnest(ARRAY['extract', 'report']) task WHERE run_id LIKE 'bulk%';
COMMIT;
SELECT dag_id, state, version, commit, count(*) FROM lab.runs WHERE run_id LIKE 'bulk%' GROUP BY 1, 2, 3, 4 ORDER BY 1;
SELECT dag_id, task_id, version_number, count(*) FROM task_instance t JOIN dag_version v USING (dag_id)
    WHERE run_id LIKE 'bulk%' AND v.id = dag_version_id GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- A run in a savepoint that is rolled back leaves no trace; the one beside it is whole.
BEGIN;
SAVEPOINT a;
CALL lab.run('d', 'back');
ROLLBACK TO a;
CALL lab.run('d', 'stays');
SAVEPOINT b;
CALL lab.run('d', 'nested');
RELEASE b;
COMMIT;
SELECT run_id, version FROM lab.runs WHERE run_id IN ('back', 'stays', 'nested') ORDER BY 1;
SELECT run_id, string_agg(task_id || ':' || version, ' ' ORDER BY task_id) AS tasks FROM lab.tasks
    WHERE run_id IN ('back', 'stays', 'nested') GROUP BY 1 ORDER BY 1;
SELECT run_id FROM lab.decisions WHERE run_id IN ('back', 'stays', 'nested') ORDER BY 1;

-- The same run_id once rolled back and then for good.
BEGIN;
SAVEPOINT a;
CALL lab.run('d', 'twice');
ROLLBACK TO a;
CALL lab.run('d', 'twice');
COMMIT;
SELECT count(*), min(version) FROM lab.tasks WHERE run_id = 'twice';
-- A transaction that is rolled back as a whole.
BEGIN;
CALL lab.run('d', 'nothing');
ROLLBACK;
SELECT count(*) FROM airflow_pin.run_decision WHERE run_id = 'nothing';

-- A pin acts in its own transaction from the next insert on, and not after its rollback.
BEGIN;
CALL lab.run('free', 'f1');
SELECT version_number FROM airflow_pin.pin('free', 1);
CALL lab.run('free', 'f2');
SAVEPOINT a;
SELECT version_number FROM airflow_pin.unpin('free');
CALL lab.run('free', 'f3');
ROLLBACK TO a;
CALL lab.run('free', 'f4');
SELECT run_id, version FROM lab.runs WHERE run_id LIKE 'f_' ORDER BY 1;
ROLLBACK;
CALL lab.run('free', 'f5');
SELECT run_id, version FROM lab.runs WHERE run_id LIKE 'f_' ORDER BY 1;
BEGIN;
SAVEPOINT a;
SELECT version_number FROM airflow_pin.pin('free', 1);
CALL lab.run('free', 'f6');
ROLLBACK TO a;
CALL lab.run('free', 'f7');
COMMIT;
SELECT run_id, version FROM lab.runs WHERE run_id LIKE 'f_' ORDER BY 1;
BEGIN;
SELECT version_number FROM airflow_pin.unpin('d');
CALL lab.run('d', 'd3');
ROLLBACK;
CALL lab.run('d', 'd4');
SELECT run_id, version FROM lab.runs WHERE run_id IN ('d3', 'd4');

-- Plain DML, TRUNCATE and COPY into pinned_version reach the cache as well.
UPDATE airflow_pin.pinned_version SET version_number = 2, dag_version_id = lab.uuid('d2'), bundle_version = 'b', dag_hash = NULL WHERE dag_id = 'd';
CALL lab.run('d', 'p1');
UPDATE airflow_pin.pinned_version SET expires_at = valid_from + interval '1 microsecond' WHERE dag_id = 'e';
CALL lab.run('e', 'p2');
DELETE FROM airflow_pin.pinned_version WHERE dag_id = 'd';
CALL lab.run('d', 'p3');
SELECT version_number FROM airflow_pin.pin('d', 1);
CALL lab.run('d', 'p4');
TRUNCATE airflow_pin.pinned_version;
CALL lab.run('d', 'p5');
SELECT run_id, version FROM lab.runs WHERE run_id LIKE 'p_' ORDER BY 1;
SELECT count(*) FROM airflow_pin.run_decision WHERE run_id LIKE 'p_';

-- Constraints checked at once: the run must not be left with another version's task instances.
SELECT version_number FROM airflow_pin.pin('d', 1);
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
CALL lab.run('d', 'immediate');
COMMIT;
SELECT count(*) AS mixed FROM lab.runs r JOIN lab.tasks t USING (run_id)
    WHERE run_id = 'immediate' AND r.version <> t.version AND r.state <> 'failed';
BEGIN;
CALL lab.run('d', 'immediate_2');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT task_id, version FROM lab.tasks WHERE run_id = 'immediate_2' ORDER BY task_id;
COMMIT;

-- A prepared statement and a plpgsql function keep working across a change of the table.
PREPARE new_run (text) AS WITH run AS (
    INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
        VALUES ('d', $1, 'scheduled', 'queued', 'b', lab.uuid('d2')))
    INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
        VALUES (gen_random_uuid(), 'report', 'd', $1, 0, 'default_pool', 1, lab.uuid('d2'));
EXECUTE new_run('q1');
ALTER TABLE dag_run DROP COLUMN last_scheduling_decision;
EXECUTE new_run('q2');
ALTER TABLE dag_run ADD COLUMN of_the_future integer NOT NULL DEFAULT 7;
EXECUTE new_run('q3');
ALTER TABLE task_instance ADD COLUMN of_the_future text NOT NULL DEFAULT 'x', DROP COLUMN queued_by_job_id;
CALL lab.run('d', 'q4');
SELECT run_id, version, commit FROM lab.runs WHERE run_id LIKE 'q_' ORDER BY 1;
SELECT task_id, version_number, of_the_future FROM task_instance t JOIN dag_version v ON v.id = dag_version_id
    WHERE run_id = 'q4' ORDER BY task_id;

-- Kept plans survive DISCARD, and what only reads works in a transaction that may not write.
DISCARD ALL;
CALL lab.run('d', 's1');
DISCARD PLANS;
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT version_number FROM airflow_pin.rollback('d');
CALL lab.run('d', 's2');
SELECT run_id, version FROM lab.runs WHERE run_id LIKE 's_' ORDER BY 1;
BEGIN READ ONLY;
SELECT state FROM airflow_pin.status() WHERE item = 'in_force';
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT action FROM airflow_pin.resolve('d');
SELECT count(*) FROM airflow_pin.diff('d', 1, 2);
COMMIT;

-- What hangs on a task instance that has to go at commit: with it, or else the run fails.
CALL lab.commit('hang', 'a', lab.task('extract'), lab.task('load'));
CALL lab.commit('hang', 'b', lab.task('extract'), lab.task('heavy', '{"weight_rule": "my_plugin.Strategy"}'));
SELECT version_number FROM airflow_pin.pin('hang', 1);
CREATE TABLE note (ti_id uuid REFERENCES task_instance ON DELETE CASCADE);
BEGIN;
CALL lab.run('hang', 't1');
INSERT INTO note SELECT id FROM task_instance WHERE run_id = 't1';
COMMIT;
SELECT task_id FROM note JOIN task_instance ON id = ti_id;
CREATE TABLE held (ti_id uuid REFERENCES task_instance);
BEGIN;
CALL lab.run('hang', 't2');
INSERT INTO held SELECT id FROM task_instance WHERE run_id = 't2';
COMMIT;
SELECT run_id, state, version, tasks FROM lab.whole WHERE run_id LIKE 't_';

-- What is pinned in this transaction is pinned now, not since its beginning.
SELECT state AS pinned_before FROM airflow_pin.status() WHERE item = 'pins' \gset
BEGIN;
SELECT version_number FROM airflow_pin.pin('free', 1);
SELECT state::int - :pinned_before AS more, detail FROM airflow_pin.status() WHERE item = 'pins';
ROLLBACK;
