/* airflow_pin 1.0 to 1.1 */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION airflow_pin UPDATE" to load this file. \quit

-- A session that began before the upgrade has the old library, which lacks what the new functions call.
DO $$
BEGIN
    IF EXISTS (SELECT FROM airflow_pin.status() AS s WHERE s.item OPERATOR(pg_catalog.=) 'library'
               AND s.state OPERATOR(pg_catalog.=) '1.0')
    THEN
        RAISE EXCEPTION 'this session has loaded another version of the library than 1.1'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Reconnect, and run ALTER EXTENSION airflow_pin UPDATE again.';
    END IF;
END $$;

-- All locks first. Runs of pinned DAGs wait for them, so that a long wait is given up instead.
SET LOCAL lock_timeout = '2s';
LOCK TABLE airflow_pin.pinned_version, airflow_pin.pin_lock, airflow_pin.pin_history, airflow_pin.run_decision
    IN ACCESS EXCLUSIVE MODE;

---------------------------------------------------------------------------------------------------
-- Pinning
---------------------------------------------------------------------------------------------------

-- Columns come last: those that are there keep their numbers, by which the library of 1.0 knows them.
ALTER TABLE airflow_pin.pinned_version ADD COLUMN schedule text NOT NULL DEFAULT 'latest'
    CONSTRAINT pinned_version_schedule_check CHECK (schedule OPERATOR(pg_catalog.=) ANY (ARRAY['pinned', 'latest']));
COMMENT ON COLUMN airflow_pin.pinned_version.schedule IS
'Whose schedule and limits the DAG has: pinned (those of the pinned version) or latest (those of the latest version, as Airflow has it).';
ALTER TABLE airflow_pin.pinned_version ADD COLUMN airflow_revision text, ADD COLUMN content_updated_at timestamptz;
COMMENT ON COLUMN airflow_pin.pinned_version.airflow_revision IS
'Revision of Airflow''s tables (alembic_version) when pinned; NULL: not known, or the pin has followed a migration since.';
COMMENT ON COLUMN airflow_pin.pinned_version.content_updated_at IS
'When Airflow had last written the serialized DAG (its last_updated) when pinned; NULL: not known. With airflow_revision it tells what a migration has changed since.';

ALTER TABLE airflow_pin.pinned_version ADD COLUMN schedule_chosen boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN airflow_pin.pinned_version.schedule_chosen IS
'Was schedule given to pin(), so that the next pin keeps it, or did pin() take the pinned version''s because it can be held?';

CREATE TABLE airflow_pin.held_schedule (
    dag_id        text COLLATE "C" PRIMARY KEY,
    removed_since timestamptz,
    failure       text,
    failed_at     timestamptz
);
COMMENT ON TABLE airflow_pin.held_schedule IS
'What there is to say of DAGs whose pin holds the schedule, too; no row: nothing. Written when Airflow''s row of dag is.';
COMMENT ON COLUMN airflow_pin.held_schedule.dag_id IS 'The DAG that is pinned.';
COMMENT ON COLUMN airflow_pin.held_schedule.removed_since IS
'Since when Airflow has not found the DAG in its file any more; NULL: it is there.';
COMMENT ON COLUMN airflow_pin.held_schedule.failure IS
'Why the schedule could not be held when the row of dag was written last; NULL: it was held.';
COMMENT ON COLUMN airflow_pin.held_schedule.failed_at IS 'When that was first so; NULL: it was held.';

CREATE TABLE airflow_pin.schedule_due (
    dag_id text COLLATE "C" NOT NULL,
    event  text NOT NULL CHECK (event OPERATOR(pg_catalog.=) ANY (ARRAY['begun', 'ended', 'missed'])),
    at     timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX schedule_due_dag_id_idx ON airflow_pin.schedule_due (dag_id);
COMMENT ON TABLE airflow_pin.schedule_due IS
'DAGs whose pin holds the schedule, and whose row of Airflow''s dag is to be looked at: at commit, after which the row is gone.';
COMMENT ON COLUMN airflow_pin.schedule_due.dag_id IS 'The DAG that is pinned.';
COMMENT ON COLUMN airflow_pin.schedule_due.event IS
'begun or ended: a run has; missed: the row of dag was locked, and is set right when it is written next.';
COMMENT ON COLUMN airflow_pin.schedule_due.at IS 'When that was.';

CREATE TABLE airflow_pin.extension_update (
    version    text PRIMARY KEY,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE airflow_pin.extension_update IS
'When the extension was updated to a release: sessions that began before may have the library of an earlier one. No row for the release that was installed first.';
COMMENT ON COLUMN airflow_pin.extension_update.version IS 'The release, as 1.1.';
COMMENT ON COLUMN airflow_pin.extension_update.updated_at IS 'When ALTER EXTENSION airflow_pin UPDATE was run.';
INSERT INTO airflow_pin.extension_update (version) VALUES ('1.1');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.held_schedule', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.schedule_due', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.extension_update', '');
GRANT SELECT ON airflow_pin.held_schedule, airflow_pin.schedule_due, airflow_pin.extension_update TO pg_monitor;

CREATE FUNCTION airflow_pin.hold_schedule() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_hold_schedule';
COMMENT ON FUNCTION airflow_pin.hold_schedule() IS
'Trigger of dag: schedule and limits of a DAG whose pin holds them become those of the pinned version, and a later commit that cannot be parsed or lacks the DAG does not stop it. Raises nothing.';

CREATE FUNCTION airflow_pin.settle_schedule() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_settle_schedule';
COMMENT ON FUNCTION airflow_pin.settle_schedule() IS
'Trigger of pinned_version and schedule_due: at commit, sets the next run of a DAG right in dag, unless that row is locked.';

REVOKE ALL ON FUNCTION airflow_pin.hold_schedule(), airflow_pin.settle_schedule() FROM PUBLIC;
-- Who may attach the triggers of 1.0 may attach the new one.
DO $$
DECLARE
    held record;
BEGIN
    FOR held IN SELECT r.grantee, r.is_grantable FROM pg_catalog.pg_proc AS p, pg_catalog.aclexplode(p.proacl) AS r
        WHERE p.oid OPERATOR(pg_catalog.=) 'airflow_pin.end_clean()'::pg_catalog.regprocedure::pg_catalog.oid
          AND r.grantee OPERATOR(pg_catalog.<>) p.proowner
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION airflow_pin.hold_schedule() TO %s%s',
            CASE WHEN held.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(held.grantee)) END,
            CASE WHEN held.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
END $$;

CREATE CONSTRAINT TRIGGER settle_schedule AFTER INSERT OR UPDATE OR DELETE ON airflow_pin.pinned_version
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION airflow_pin.settle_schedule();
CREATE CONSTRAINT TRIGGER settle_schedule AFTER INSERT ON airflow_pin.schedule_due
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION airflow_pin.settle_schedule();

-- A function with another argument is another function. Who may call the old one may call the new one.
CREATE FUNCTION airflow_pin.pin(
        dag_id text,
        version_number integer DEFAULT NULL,
        on_mismatch text DEFAULT NULL,
        reason text DEFAULT NULL,
        expires_at timestamptz DEFAULT NULL,
        run_types text[] DEFAULT NULL,
        allow_override boolean DEFAULT NULL,
        valid_from timestamptz DEFAULT NULL,
        bundle_version text DEFAULT NULL,
        reruns text DEFAULT NULL,
        schedule text DEFAULT NULL)
    RETURNS airflow_pin.pinned_version LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_pin_1_1';
COMMENT ON FUNCTION airflow_pin.pin(text, integer, text, text, timestamptz, text[], boolean, timestamptz, text, text, text) IS
'Holds new runs of a DAG at a version (NULL: the one that was parsed at bundle_version, or without that the latest now) and its commit; pinning again moves the pin, and changes nothing where all is the same. on_mismatch, run_types, allow_override, reruns and a schedule that was given once, where they are not given, stay what they are in the pin in force, which a NOTICE names; without one the pin is rewrite, of all run types, without override, and leaves re-runs to Airflow. schedule: pinned (schedule and limits are the pinned version''s, too) or latest (they are the latest version''s, as Airflow has it); never given, it is pinned where that can be held, and else latest, with a WARNING where the two schedules differ. run_types => {} means all. Returns the pin. valid_from in the future schedules the move. With a number, bundle_version names another commit that the DAG had under that version; a NOTICE says where new runs, or runs of the version, have another commit than the one that is proven and pinned. reruns => pinned refuses re-runs of existing runs at any other version or commit. Errors: 42704 no such DAG, P0002 no such version, 02000 the DAG is not parsed at that commit or is not known to have had it under that version, 0A000 rewrite of a DAG whose bundle is not versioned or whose tasks cannot be computed, or schedule pinned where it cannot be, 22023 unknown on_mismatch, run type, reruns or schedule, or schedule pinned for a pin that does not rewrite scheduled runs, 22008 expires_at in the past or not after valid_from, 55000 not attached or not enabled, or schedule pinned before attach() was called after an update, 42P01 no Airflow 3 tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 42501 Airflow''s tables have several owners, or their schema has another one, 22004 dag_id is NULL, 40001 the transaction''s snapshot is older than the last change of the DAG''s pins (not under READ COMMITTED).';
DO $$
DECLARE
    held record;
    new_pin CONSTANT pg_catalog.text :=
        'airflow_pin.pin(text, integer, text, text, timestamptz, text[], boolean, timestamptz, text, text, text)';
BEGIN
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', new_pin);
    FOR held IN SELECT r.grantee, r.is_grantable FROM pg_catalog.pg_proc AS p, pg_catalog.aclexplode(p.proacl) AS r
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'airflow_pin'::pg_catalog.regnamespace
          AND p.proname OPERATOR(pg_catalog.=) 'pin' AND p.pronargs OPERATOR(pg_catalog.=) 10
          AND r.grantee OPERATOR(pg_catalog.<>) p.proowner
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s%s', new_pin,
            CASE WHEN held.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(held.grantee)) END,
            CASE WHEN held.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
END $$;
DROP FUNCTION airflow_pin.pin(text, integer, text, text, timestamptz, text[], boolean, timestamptz, text, text);

-- A function with another result is another function, too, under the same name: rights are given again.
DO $$
DECLARE
    grants CONSTANT pg_catalog.text[] := ARRAY(
        SELECT pg_catalog.format('GRANT EXECUTE ON FUNCTION airflow_pin.pins() TO %s%s',
            CASE WHEN r.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.grantee)) END,
            CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' END)
        FROM pg_catalog.pg_proc AS p, pg_catalog.aclexplode(p.proacl) AS r
        WHERE p.oid OPERATOR(pg_catalog.=) 'airflow_pin.pins()'::pg_catalog.regprocedure::pg_catalog.oid
          AND r.grantee OPERATOR(pg_catalog.<>) p.proowner);
    given pg_catalog.text;
BEGIN
    DROP FUNCTION airflow_pin.pins();
    CREATE FUNCTION airflow_pin.pins(
            OUT dag_id text, OUT pinned_version integer, OUT latest_version integer,
            OUT versions_behind integer, OUT on_mismatch text, OUT bundle_version text,
            OUT pinned_by name, OUT pinned_at timestamptz, OUT expires_at timestamptz,
            OUT reason text, OUT drift text[], OUT schedule text)
        RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'airflow_pin_pins_1_1';
    REVOKE ALL ON FUNCTION airflow_pin.pins() FROM PUBLIC;
    FOREACH given IN ARRAY grants LOOP
        EXECUTE given;
    END LOOP;
END $$;
COMMENT ON FUNCTION airflow_pin.pins() IS
'The pins in force, by dag_id, beside each DAG''s latest version: versions_behind is the difference of the two numbers, NULL as is latest_version where Airflow has no version of the DAG any more. The other columns are as in pinned_version. drift names what differs between the two: newer_version, tasks_differ (where diff() shows a task), schedule_differs, content_changed (the DAG file, or the pinned version itself, is not what it was when pinned), bundle_unversioned; and why the next run that the pin holds would fail, as resolve() says in words: version_missing (the version, or its serialized DAG), changed_in_place (something else than a parse or a migration has changed the pinned version), bundle_moved (the DAG is in another bundle than the pinned commit), not_computable (its task instances). schedule_not_held: the schedule in force is not the pinned version''s; of a DAG that has schedule pinned, import_error: a later commit of its file cannot be parsed, and dag_removed: a later commit has the DAG no more. Where Airflow''s tables are locked, missing or not understood, it is {unknown} alone. Waits for no lock. A name that a release adds comes at the end.';

COMMENT ON FUNCTION airflow_pin.diff(text, integer, integer) IS
'What changes between two versions of a DAG. kind: task_added, task_removed, task_changed (item is task_id.field), schedule, setting; values are as in the serialized DAG, NULL where a side has none; items "in words" and "limits in words" have schedule and limits as sentences. No rows where nothing differs, or for a NULL. Errors: 42704 no such DAG, P0002 no such version, or its serialized DAG is gone, 0A000 serialized in an unknown format, 22P02 or 22P05 no JSON that PostgreSQL can hold, 54000 larger than can be read, 42P01 no Airflow 3 tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

COMMENT ON FUNCTION airflow_pin.status() IS
'Are pins in force? One row an item: in_force (the answer: yes only if a run that a role with the right to insert runs inserts now into any pinned DAG would be held, no, or unknown where nothing is known to keep it from that but the revision of Airflow is not known), extension, library, airflow_schema, airflow_revision, each trigger on Airflow''s tables (present, missing or disabled), enabled, unpinned_dags, version_guard (on or off: are pinned versions kept; the detail names who holds the lock of migrations, and the statement that ends that), pins, changed_pins (how many pinned versions were changed in place or deleted, and of which DAGs). state says how it is, detail what that means and how to mend it. Never waits for a lock.';

CREATE PROCEDURE airflow_pin.await_commit(
        dag_id text,
        bundle_version text,
        timeout interval DEFAULT '5 min',
        poll interval DEFAULT '1 s')
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_await_commit';
COMMENT ON PROCEDURE airflow_pin.await_commit(text, text, interval, interval) IS
'Returns when a commit of a DAG is parsed, so that pin(dag_id, bundle_version => …) pins its version. dag.bundle_version is no sign of that: within [core] min_serialized_dag_update_interval after a change Airflow gives new runs a commit that it has not looked at; see setting airflow_pin.min_serialized_dag_update_interval. Looks once in poll (at least 10 ms), and holds no snapshot and no lock between looks. Errors: 02000 at the timeout, with what is parsed instead; 25001 inside a transaction block; 22004 an argument is NULL; 22023 timeout or poll out of range; 42P01 no Airflow 3 tables.';
REVOKE ALL ON PROCEDURE airflow_pin.await_commit(text, text, interval, interval) FROM PUBLIC;

CREATE FUNCTION airflow_pin.next_runs(
        dag_id text, version_number integer DEFAULT NULL, count integer DEFAULT 5, after timestamptz DEFAULT NULL,
        OUT logical_date timestamptz, OUT data_interval_start timestamptz,
        OUT data_interval_end timestamptz, OUT run_after timestamptz)
    RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'airflow_pin_next_runs';
COMMENT ON FUNCTION airflow_pin.next_runs(text, integer, integer, timestamptz) IS
'The next runs that a version''s schedule gives, as its Airflow''s own timetable would reckon them; nothing is changed. version_number NULL: the version of the pin in force, without one the latest. Begins after the newest scheduled or backfill run, each run being created when it is due (run_after); limits on active runs, and whether the DAG is paused, are not looked at. after: only runs that are due later; a cron schedule is asked as if it were that moment and all runs up to it had been, so that it may be in the past. Of @continuous one row comes, of no schedule none; where Airflow would log an error and create no further run, a NOTICE says why; another, where the schedule depends on which croniter Airflow has. Errors: 42704 no such DAG, P0002 no such version, 0A000 a schedule that cannot be computed (assets, partitions, events, a plugin''s timetable, random cron values, a time zone that the server lacks) or serialized in an unknown format, 22023 count not between 1 and 10000, 22008 after is out of range, 54000 too many runs come before it, 22004 dag_id or count is NULL, 42P01 no Airflow 3 tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

REVOKE ALL ON FUNCTION airflow_pin.next_runs(text, integer, integer, timestamptz) FROM PUBLIC;

COMMENT ON FUNCTION airflow_pin.attach(name, interval) IS
'Puts the triggers on Airflow''s dag_run, task_instance, serialized_dag, dag_version and dag_code, so that pins are in force, and mends what a restore or a switchover has left of the extension''s own triggers and sequences; lets the tables'' owner read the extension''s tables, for pg_dump; does nothing where all is well. Needs a superuser, or the tables'' owner with EXECUTE on the functions of the triggers, and SHARE ROW EXCLUSIVE on the tables: raises 55P03 after lock_timeout, naming who holds a table, rather than queue behind a long lock. Returns nothing. Other errors: 42P01 no Airflow 3 tables, 42703 a table lacks a column that pins need, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55000 attached to another schema, 42501 the tables have several owners, their schema has another one, or the caller is not their owner, 22023 lock_timeout out of range.';

CREATE FUNCTION airflow_pin.grant_dump_rights()
    RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_grant_dump_rights';
COMMENT ON FUNCTION airflow_pin.grant_dump_rights() IS
'Lets the role that owns Airflow''s tables read the tables of the extension, so that a pg_dump by that role works and has the pins in it. CREATE EXTENSION, ALTER EXTENSION UPDATE and attach() call it. Returns false where there are no tables of Airflow, or in several schemas: attach() does it then. Errors: none of its own.';
REVOKE ALL ON FUNCTION airflow_pin.grant_dump_rights() FROM PUBLIC;

---------------------------------------------------------------------------------------------------
-- Before and during "airflow db migrate"
---------------------------------------------------------------------------------------------------

COMMENT ON COLUMN airflow_pin.finding.severity IS
'ok, info, unknown (it could not be looked at; message says why), warning, or critical (mend it before you go on: the migration fails or hangs, or Airflow does not come up after it, or work that is going on is cut off).';

COMMENT ON FUNCTION airflow_pin.preflight(text) IS
'Every check before "airflow db migrate" in one list, worst first; target is the Airflow version to migrate to, as 3.3.2. Checks: airflow_schema, target, revision, fab_provider, standby, paused_dags, heartbeats, sessions, in_flight, queued_long, callbacks, lock_holders, idle_in_transaction, prepared_transactions, migration_lock, long_transactions, autovacuum, wraparound, table_sizes, leftovers, dead_rows, disk_space, sequences, dependent_views, foreign_triggers, deferred_triggers, publications, replica_identity, foreign_keys, dependent_expressions, dependent_objects, taken_names, needed_names, repeated_keys, owners, schema_privileges, extensions, invalid_indexes, unvalidated_constraints, time_zone, timeouts, read_only, event_triggers, connections, replication_slots, archiver, and those of fab_report() and bad_rows(). Waits for no lock on Airflow''s tables; a check that cannot be made has severity unknown and says why. Error: 22023 target is not a version.';

COMMENT ON FUNCTION airflow_pin.is_ready(text) IS
'Has preflight() no critical finding? false, too, in a database without Airflow, at a revision that is not known, or on a standby. Error: 22023 target is not a version, or of a release that is not known.';

COMMENT ON FUNCTION airflow_pin.migration_status() IS
'For \watch beside "airflow db migrate": a row for each session that migrates, or one that says not running. verdict: working, blocked (by a lock, a synchronous standby, or I/O that does not happen), idle in transaction (its client sends nothing for 5 s), stalled (active, but no CPU time and no I/O for 3 s of watching, on Linux only; or a session that holds the advisory lock of a migration and does not migrate) or not running. evidence says why, next_action what to do. revision is the one that is being applied, relation and phase what is done to which table. done_bytes, total_bytes and percent are those of one operation: a rewrite (table and indexes), an index, a VACUUM, or an UPDATE of all rows; NULL where nothing can be measured. bytes_per_second is since the previous call in the same session, eta the time left of the operation, by all that this session has seen of it; both NULL at the first call. running_for: age of the transaction, that is of the revision. blocked_by is as in pg_blocking_pids(); root_blocker is the end of the chain and end_sql ends it; it needs membership in pg_signal_backend or in that session''s role, or a superuser where that session is one''s, and next_action says which where the caller lacks it. revisions_left, left_low and left_high count what is not committed, up to the newest known release, as migration_plan(). Never waits for a lock. A caller who is not a member of pg_monitor needs EXECUTE on migration_plan() and locks(), too, and does not see statements of others. Error: 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

COMMENT ON FUNCTION airflow_pin.locks() IS
'Who holds and who waits for locks on the tables of Airflow and FAB, a row a session, table and mode (locks on indexes and TOAST count as the table''s), each root with its waiters below. blocked_by is as in pg_blocking_pids(), 0 for a prepared transaction, whose own row has pid NULL and state "prepared transaction"; root_blocker is the end of the chain, NULL for a session that does not wait, and depth the length of the chain. A blocker that has no lock on these tables has one row with relation NULL. cancel_sql ends the root blocker, or the session itself where it does not wait: pg_cancel_backend, pg_terminate_backend for an idle one, ROLLBACK PREPARED. The first two need membership in pg_signal_backend or in that session''s role, or a superuser where that session is one''s; the last needs its owner or a superuser. Takes no lock on the tables; queries of others are shown as in pg_stat_activity. No rows and a NOTICE in a database without Airflow. Error: 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

COMMENT ON FUNCTION airflow_pin.pause_all(text, text) IS
'Pauses every DAG of Airflow and remembers in paused_dag, under the label, those that were active, for resume(). total: DAGs there are; paused_before: those that were paused already; paused_now: those that this call paused. Calling it again adds what has become active since. A NOTICE names other labels under which DAGs are still paused. Needs no right on Airflow''s tables. Waits at most 10 s for a row of dag. Errors: 22004 no label, 42P01 no table dag, 42809 it is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55000 a deferred trigger on dag, 55P03 dag is locked, or a row of it for 10 s, naming who holds it.';

COMMENT ON FUNCTION airflow_pin.resume(text, text, text, integer) IS
'Brings back DAGs that pause_all() paused under the label, and returns them: those with the tag, whose dag_id is LIKE dag_like, at most max_dags of them; NULL: no such condition. DAGs with a tag "critical" come first, then by dag_id. A DAG that is gone, or that somebody has paused again after it was resumed, is left, and a NOTICE says so. A tag or a dag_like that no DAG of the label has, as by a typing error, gives a WARNING with the tags that there are. Waits at most 10 s for a row of dag or of paused_dag. Repeating a call does no harm. Errors: 22004 no label, 42704 nothing was paused under it, 22023 max_dags below 1, 42P01 no table dag or dag_tag, 42809 one that is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55000 a deferred trigger on dag, 55P03 one of them is locked, or a row for 10 s, naming who holds it.';

COMMENT ON FUNCTION airflow_pin.postflight(text) IS
'After a migration, worst first: each figure of the label''s baseline compared with that of now (value now, threshold before), and whether the migration of core and of FAB is complete (revision), pins are in force (pins), FAB''s tables are there (fab_tables), scheduler, triggerer and DAG processor are alive (heartbeats), unfinished task instances have a DAG version (unversioned_tasks), throttle() is still on (throttle: info, after a day warning; fix_sql ends it), indexes and constraints are valid, statistics are fresh, and what is left over to be dropped (leftovers). Waits for no lock on Airflow''s tables. Errors: 22004 no label, 42704 no such baseline, 42P01 no Airflow tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

COMMENT ON FUNCTION airflow_pin.lost_on_rollback(timestamptz) IS
'What restoring a backup taken at "since" would lose: what is new or has changed since then, by kind (dag_run, task_instance, xcom, dag_version, backfill, log; variable and connection: changes that the audit log knows; user) and, where it belongs to one, by DAG, with the times of the first and last; a time in the future gives a WARNING. Reads dag_run in full. Waits for no lock on Airflow''s tables: for one that is locked, is a view or has rules, count is NULL and a NOTICE says so, and who holds it. No rows and a NOTICE in a database without Airflow. Errors: 22004 since is NULL, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

COMMENT ON FUNCTION airflow_pin.export_runs(timestamptz) IS
'The runs that are new or have changed since then, one JSON object each: dag_run, task_instances and xcoms, with all columns; what is needed to look at them after a backup was restored. What no jsonb can hold (more than 256 MB, or \u0000) is NULL, but for the names of the run, and a WARNING says of which run and part; one comes of a time in the future, too. Holds conf and XCom values: grant EXECUTE with care. Errors: 22004 since is NULL, 42P01 no Airflow tables, 42809 one of them is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55P03 a table is locked, naming who holds it.';

COMMENT ON FUNCTION airflow_pin.status_report(text) IS
'A few lines of Markdown for those who wait for a migration: what it is at and since when, when the operation at hand ends, what blocks it, what happens next, what is left, how many of the DAGs paused under the label are back, and whether runs are throttled. From migration_status(), baseline(), pause_all() and throttle() of that label, so that the end of an operation is told from the second call in a session on. A label that none of them was given gives a NOTICE with those that there are. Waits for no lock. Errors: 22004 no label, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

---------------------------------------------------------------------------------------------------
-- At last, when all tables are there
---------------------------------------------------------------------------------------------------

SELECT airflow_pin.grant_dump_rights();
