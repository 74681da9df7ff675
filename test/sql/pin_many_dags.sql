-- Many DAGs in one session, whose ids are of every length, each one the beginning of the next: the cache keeps short ids
-- and long ones in different ways, and grows meanwhile.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CREATE TEMP TABLE dags AS
    SELECT left(start || repeat(filling, 250), length) AS dag_id, length % 2 = 0 AS is_pinned
    FROM (VALUES ('', 'd'), ('x', 'ä')) AS kinds (start, filling), generate_series(1, 250) AS length;
CREATE PROCEDURE pg_temp.two_versions_each() LANGUAGE plpgsql AS $$
DECLARE
    dag record;
BEGIN
    FOR dag IN SELECT * FROM dags LOOP
        CALL lab.two_versions(dag.dag_id);
    END LOOP;
END $$;
CALL pg_temp.two_versions_each();

-- A run of each DAG, and how the versions of these runs differ from what the pins say.
CREATE PROCEDURE pg_temp.run_all(name text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
        SELECT dag_id, name, 'scheduled', 'queued', 'b', lab.uuid(dag_id || '2') FROM dags;
    INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
        SELECT gen_random_uuid(), task, dag_id, name, 0, 'default_pool', 1, lab.uuid(dag_id || '2')
        FROM dags, unnest(ARRAY['extract', 'report']) task;
END $$;
CREATE FUNCTION pg_temp.ran(name text, OUT is_pinned boolean, OUT version integer, OUT runs bigint) RETURNS SETOF record
    LANGUAGE sql AS $$
    SELECT d.is_pinned, r.version, count(*) FROM lab.runs r JOIN dags d USING (dag_id) WHERE run_id = name GROUP BY 1, 2 ORDER BY 1, 2
$$;

SELECT count(*), min(octet_length(dag_id)), max(octet_length(dag_id)) FROM dags;
CALL pg_temp.run_all('none is pinned');
SELECT * FROM pg_temp.ran('none is pinned');
SELECT count(airflow_pin.pin(dag_id, 1)) FROM dags WHERE is_pinned;
CALL pg_temp.run_all('every other one');
SELECT * FROM pg_temp.ran('every other one');
CALL pg_temp.run_all('from the cache');
SELECT * FROM pg_temp.ran('from the cache');
SELECT count(airflow_pin.unpin(dag_id)) FROM dags WHERE is_pinned;
SELECT count(airflow_pin.pin(dag_id, 1)) FROM dags WHERE NOT is_pinned;
CALL pg_temp.run_all('the others');
SELECT * FROM pg_temp.ran('the others');

-- Ids that hash_dag_id() in cache.c, for which they were searched, does not tell from one another: two of one length, and
-- one that begins as the other does.
TRUNCATE dags;
INSERT INTO dags VALUES ('same_hash_249291', true), ('same_hash_284299', false), ('same_hash', true), ('same_hash_j3s8kq4', false);
CALL pg_temp.two_versions_each();
SELECT count(airflow_pin.pin(dag_id, 1)) FROM dags WHERE is_pinned;
CALL pg_temp.run_all('same hash');
CALL pg_temp.run_all('same hash, from the cache');
SELECT * FROM pg_temp.ran('same hash');
SELECT * FROM pg_temp.ran('same hash, from the cache');
