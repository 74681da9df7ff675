-- For test/crash/run, after fixtures/begin.sql: DAGs c1 to c4 of five versions, each with a task and a commit of its own,
-- and what is needed to tell afterwards whether each run is what it should be.
\set ECHO none
SET client_min_messages = warning;
DO $$
BEGIN
    FOR dag IN 1..4 LOOP
        FOR version IN 1..5 LOOP
            PERFORM lab.add_version('c' || dag, format('commit-%s-%s', dag, version),
                ARRAY[lab.task('first', jsonb_build_object('pool_slots', version)), lab.task('only_' || version),
                      lab.task('last')]);
        END LOOP;
    END LOOP;
END $$;

-- What an inserting session asked for, and between which times its row of dag_run came in. Written in its transaction.
CREATE SEQUENCE lab.run_number;
CREATE TABLE lab.insertion (
    run_id text PRIMARY KEY,
    dag_id text NOT NULL,
    asked_version uuid NOT NULL,
    asked_commit text NOT NULL,
    before timestamptz NOT NULL,
    after timestamptz
);

-- When a session knew that its change of a pin was committed: from then on all must obey. Written after its transaction.
CREATE TABLE lab.change (history_id bigint PRIMARY KEY, done timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE FUNCTION lab.roll_back(dag text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM airflow_pin.rollback(dag);
EXCEPTION WHEN no_data_found THEN NULL; -- there is nothing to go back to
END $$;

-- What each DAG was pinned to (NULL: nothing) between which times. A change counts from the time of its commit, before
-- which nobody can have seen it; the one before it counts until the session that made the change knew that it was made.
-- To be refreshed before it is looked at.
CREATE MATERIALIZED VIEW lab.in_force AS
    WITH event AS (
        SELECT h.dag_id, h.id, h.to_version AS version, h.to_bundle_version AS commit,
               pg_xact_commit_timestamp(h.xmin) AS since, c.done
        FROM airflow_pin.pin_history h LEFT JOIN lab.change c ON c.history_id = h.id
        UNION ALL
        SELECT dag_id, 0, NULL, NULL, '-infinity', NULL FROM dag
    )
    SELECT dag_id, version, commit, since,
           coalesce(min(done) OVER (PARTITION BY dag_id ORDER BY id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                    'infinity') AS until
    FROM event;

CREATE VIEW lab.run AS
    SELECT r.dag_id, r.run_id, r.state, r.created_dag_version_id AS version_id, v.version_number AS version,
           r.bundle_version AS commit, v.bundle_version AS version_commit, i.asked_version, i.before, i.after,
           (SELECT array_agg(t.task_id::text ORDER BY t.task_id) FROM task_instance t
            WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id
            AND t.dag_version_id = v.id AND t.map_index = -1
            AND (t.task_id <> 'first' OR t.pool_slots = v.version_number)) AS tasks_of_version,
           (SELECT count(*) FROM task_instance t WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id) AS tasks,
           (SELECT array_agg(d.action || coalesce(' ' || d.effective_version, '')) FROM airflow_pin.run_decision d
            WHERE d.dag_id = r.dag_id AND d.run_id = r.run_id) AS decisions
    FROM dag_run r LEFT JOIN dag_version v ON v.id = r.created_dag_version_id
    LEFT JOIN lab.insertion i ON i.run_id = r.run_id
    WHERE r.dag_id LIKE 'c_';

-- The versions that a run may have: those in force at some time while it was inserted.
CREATE VIEW lab.allowed AS
    SELECT DISTINCT r.run_id, coalesce(p.version, asked.version_number) AS version,
           coalesce(p.commit, asked.bundle_version) AS commit
    FROM lab.run r JOIN dag_version asked ON asked.id = r.asked_version
    JOIN lab.in_force p ON p.dag_id = r.dag_id AND p.since <= r.after AND p.until >= r.before;

-- Every run that is not whole, everything that is no run at all, and every DAG whose pins or history are not.
CREATE VIEW lab.wrong AS
    SELECT dag_id AS run_id, format('%s pins are in force', count(*)) AS problem FROM airflow_pin.pinned_version
    GROUP BY dag_id HAVING count(*) > 1
    UNION ALL
    SELECT dag_id, format('event %s follows on version %s, and not on %s', id, before, from_version)
    FROM (SELECT *, lag(to_version) OVER (PARTITION BY dag_id ORDER BY id) AS before FROM airflow_pin.pin_history) h
    WHERE from_version IS DISTINCT FROM before
    UNION ALL
    SELECT run_id, 'was inserted half' FROM lab.run WHERE after IS NULL
    UNION ALL
    SELECT i.run_id, 'is not there' FROM lab.insertion i
    WHERE NOT EXISTS (SELECT FROM dag_run r WHERE r.dag_id = i.dag_id AND r.run_id = i.run_id)
    UNION ALL
    SELECT d.run_id, 'has a decision and is not there' FROM airflow_pin.run_decision d
    WHERE NOT EXISTS (SELECT FROM dag_run r WHERE r.dag_id = d.dag_id AND r.run_id = d.run_id)
    UNION ALL
    SELECT run_id, format('is %s', state) FROM lab.run WHERE state <> 'queued'
    UNION ALL
    SELECT run_id, format('version %s at commit %s', version, commit) FROM lab.run
    WHERE commit IS DISTINCT FROM version_commit
    UNION ALL
    SELECT run_id, format('version %s with tasks %s of %s', version, tasks_of_version, tasks) FROM lab.run
    WHERE tasks <> 3 OR tasks_of_version IS DISTINCT FROM ARRAY['first', 'last', 'only_' || version]
    UNION ALL
    SELECT run_id, format('version %s, decided %s', version, decisions) FROM lab.run
    WHERE decisions IS DISTINCT FROM CASE WHEN version_id <> asked_version THEN ARRAY['rewrite ' || version] END
    UNION ALL
    SELECT run_id, format('version %s at commit %s, in force were %s', version, commit,
                          (SELECT array_agg(a.version || ' at ' || a.commit) FROM lab.allowed a WHERE a.run_id = r.run_id))
    FROM lab.run r WHERE NOT EXISTS (SELECT FROM lab.allowed a
        WHERE a.run_id = r.run_id AND a.version = r.version AND a.commit = r.commit);

-- For tests that stop a session amid its commit: a row of task_instance waits while somebody holds the lock.
CREATE FUNCTION lab.wait_amid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_ARGV[0] = current_setting('lab.wait_amid', true) THEN
        PERFORM pg_advisory_xact_lock_shared(42);
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER wait_amid_delete BEFORE DELETE ON task_instance FOR EACH ROW EXECUTE FUNCTION lab.wait_amid('delete');
CREATE TRIGGER wait_amid_insert BEFORE INSERT ON task_instance FOR EACH ROW WHEN (NEW.task_id = 'only_1')
    EXECUTE FUNCTION lab.wait_amid('insert');
CREATE TRIGGER wait_amid_update BEFORE UPDATE ON task_instance FOR EACH ROW EXECUTE FUNCTION lab.wait_amid('update');
