-- What cannot be done right is never guessed: who asked gets an error, a scheduler a failed run with the reason.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- For each way to break a pinned version: a scheduled run, and a manual one.
CREATE PROCEDURE lab.break(dag text, how text) LANGUAGE plpgsql AS $$
BEGIN
    CALL lab.two_versions(dag);
    PERFORM airflow_pin.pin(dag, 1);
    CALL lab.unguarded(format(how, lab.uuid(dag || '1')));
END $$;
CALL lab.break('version_gone', 'DELETE FROM dag_version WHERE id = %L');
CALL lab.break('content_gone', 'DELETE FROM serialized_dag WHERE dag_version_id = %L');
CALL lab.break('overwritten', $$UPDATE serialized_dag SET dag_hash = 'other' WHERE dag_version_id = %L$$);
CALL lab.break('bundle_moved', $$UPDATE dag SET bundle_name = 'other' WHERE dag_id = 'bundle_moved' AND %L <> ''$$);
CALL lab.break('both_moved', $$WITH moved AS (UPDATE dag SET bundle_name = 'other' WHERE dag_id = 'both_moved')
    UPDATE dag_version SET bundle_name = 'other' WHERE id = %L$$);
CALL lab.break('bundle_unknown', $$UPDATE dag_version SET bundle_name = NULL WHERE id = %L$$);
CALL lab.break('serializer', $$UPDATE serialized_dag SET data = jsonb_set(data, '{__version}', '4') WHERE dag_version_id = %L$$);
CALL lab.break('no_tasks', $$UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = %L$$);
CALL lab.break('no_content', $$UPDATE serialized_dag SET data = NULL WHERE dag_version_id = %L$$);
CALL lab.break('no_zlib', $$UPDATE serialized_dag SET data = NULL, data_compressed = 'garbage' WHERE dag_version_id = %L$$);
CALL lab.break('wrong_type', $$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks,0,__var,retries}', '"many"') WHERE dag_version_id = %L$$);
CALL lab.break('number_too_large', $$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks,0,__var,pool_slots}', '9999999999') WHERE dag_version_id = %L$$);
CALL lab.break('unknown_downstream', $$UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks,0,__var,downstream_task_ids}', '["nobody"]') WHERE dag_version_id = %L$$);
DO $$ BEGIN PERFORM lab.create_run(dag_id, dag_id) FROM dag ORDER BY dag_id; END $$;

-- Such a run is of the version that Airflow asked for: version, commit and tasks belong together.
SELECT run_id, state, version, commit, end_date IS NOT NULL AS ended FROM lab.runs JOIN dag_run USING (dag_id, run_id, state)
    ORDER BY run_id COLLATE "C";
SELECT run_id, string_agg(task_id || ':' || version || coalesce(':' || state, ''), ' ' ORDER BY task_id) AS tasks
    FROM lab.tasks GROUP BY run_id ORDER BY run_id COLLATE "C";
\x on
SELECT run_id, action, requested, effective, req_commit, eff_commit, detail FROM lab.decisions ORDER BY run_id COLLATE "C";
\x off
-- resolve() knows it beforehand.
SELECT dag_id, version_number, action FROM dag, airflow_pin.resolve(dag_id) AS r (version_number, b, c, action, reason)
    ORDER BY dag_id COLLATE "C";

-- What is known when a run is inserted is raised to who asked for it. The rest is known at commit.
CALL lab.run('version_gone', 'm1', 'manual');
\echo :SQLSTATE
CALL lab.run('content_gone', 'm2', 'manual');
\echo :SQLSTATE
CALL lab.run('overwritten', 'm3', 'backfill');
\echo :SQLSTATE
CALL lab.run('bundle_moved', 'm4', 'operator_triggered');
\echo :SQLSTATE
CALL lab.run('bundle_unknown', 'm5', 'manual');

-- Pinning again accepts what the version is now.
SELECT version_number FROM airflow_pin.pin('overwritten', 1);
CALL lab.run('overwritten', 'accepted');
SELECT state, version FROM lab.runs WHERE run_id = 'accepted';

-- The pin's table itself is broken: the scheduler's run is born failed, and says so in the server log only.
BEGIN;
ALTER TABLE airflow_pin.pinned_version DROP CONSTRAINT pinned_version_pkey;
CALL lab.run('overwritten', 'no_key');
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'no_key';
SAVEPOINT s;
CALL lab.run('overwritten', 'no_key_manual', 'manual');
\echo :SQLSTATE
ROLLBACK;

-- A statement that is cancelled, or out of time, ends: that is no reason for a failed run.
CREATE FUNCTION lab.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON airflow_pin.run_decision FOR EACH ROW EXECUTE FUNCTION lab.slow();
SET statement_timeout = '100 ms';
CALL lab.run('overwritten', 'out of time');
\echo :SQLSTATE
RESET statement_timeout;
DROP TRIGGER slow ON airflow_pin.run_decision;
SELECT count(*) FROM lab.runs WHERE run_id = 'out of time';

-- Rows that Airflow's own constraints refuse are refused by them.
\set VERBOSITY terse
INSERT INTO dag_run (dag_id, run_id, state) VALUES ('overwritten', 'no type', 'queued');
\echo :SQLSTATE
INSERT INTO dag_run (dag_id, run_type, state) VALUES ('overwritten', 'manual', 'queued');
\echo :SQLSTATE
INSERT INTO dag_run (dag_id, run_type, state) VALUES ('overwritten', 'scheduled', 'queued');
\echo :SQLSTATE
INSERT INTO dag_run (run_id, run_type, state) VALUES ('no dag', 'manual', 'queued');
\echo :SQLSTATE
CALL lab.run('overwritten', 'accepted');
\echo :SQLSTATE
