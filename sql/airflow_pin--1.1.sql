/* airflow_pin 1.1: tables, functions, grants and comments. */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION airflow_pin" to load this file. \quit

-- CREATE EXTENSION takes a schema of that name as it finds it. Whoever made it could put look-alikes
-- into it, now or later.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace
                   WHERE nspname OPERATOR(pg_catalog.=) 'airflow_pin'
                     AND nspowner OPERATOR(pg_catalog.=) ANY (SELECT oid FROM pg_catalog.pg_roles
                             WHERE rolsuper OR rolname OPERATOR(pg_catalog.=) current_user))
       OR EXISTS (SELECT FROM pg_catalog.pg_depend
                  WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                    AND refobjid OPERATOR(pg_catalog.=) 'airflow_pin'::pg_catalog.regnamespace
                    AND classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass)
    THEN
        RAISE EXCEPTION 'schema "airflow_pin" exists already, and is not empty or not a superuser''s'
            USING ERRCODE = 'duplicate_schema',
                  HINT = 'Rename or drop it, then run CREATE EXTENSION airflow_pin again.';
    END IF;
END $$;

REVOKE ALL ON SCHEMA airflow_pin FROM PUBLIC;
GRANT USAGE ON SCHEMA airflow_pin TO pg_monitor;

---------------------------------------------------------------------------------------------------
-- Tables
---------------------------------------------------------------------------------------------------

-- src/pin/pin.c knows the order of these columns.
CREATE TABLE airflow_pin.pinned_version (
    dag_id           text COLLATE "C" NOT NULL,
    valid_from       timestamptz NOT NULL,
    version_number   integer NOT NULL CHECK (version_number OPERATOR(pg_catalog.>) 0),
    dag_version_id   uuid NOT NULL,
    bundle_name      text,
    bundle_version   text,
    dag_hash         text,
    source_code_hash text,
    on_mismatch      text NOT NULL CHECK (on_mismatch OPERATOR(pg_catalog.=) ANY (ARRAY['rewrite', 'reject',
                                                                                   'observe'])),
    run_types        text[] CHECK (run_types OPERATOR(pg_catalog.<@) ARRAY['scheduled', 'manual', 'backfill',
                                     'asset_triggered', 'operator_triggered',
                                     'asset_materialization']
                                   AND pg_catalog.cardinality(run_types) OPERATOR(pg_catalog.>) 0
                                   AND pg_catalog.array_position(run_types, NULL) IS NULL),
    reruns           text NOT NULL DEFAULT 'airflow'
                     CHECK (reruns OPERATOR(pg_catalog.=) ANY (ARRAY['airflow', 'pinned'])),
    allow_override   boolean NOT NULL DEFAULT false,
    expires_at       timestamptz CHECK (expires_at OPERATOR(pg_catalog.>) valid_from),
    reason           text,
    pinned_by        name NOT NULL DEFAULT session_user,
    pinned_at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    history_id       bigint,
    schedule         text NOT NULL DEFAULT 'latest'
                     CONSTRAINT pinned_version_schedule_check
                     CHECK (schedule OPERATOR(pg_catalog.=) ANY (ARRAY['pinned', 'latest'])),
    airflow_revision text,
    content_updated_at timestamptz,
    schedule_chosen  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (dag_id, valid_from)
);
COMMENT ON TABLE airflow_pin.pinned_version IS
'Pins in force and scheduled. Of a DAG''s rows that are valid when a run is inserted, the one with the latest valid_from rules; none: new runs get the latest version. Change it with pin(), unpin() and rollback().';
COMMENT ON COLUMN airflow_pin.pinned_version.dag_id IS 'The DAG that is pinned.';
COMMENT ON COLUMN airflow_pin.pinned_version.valid_from IS
'The pin is valid from then on; in the future, and after pinned_at: it is scheduled.';
COMMENT ON COLUMN airflow_pin.pinned_version.version_number IS
'The version that the DAG is held at, as Airflow numbers them.';
COMMENT ON COLUMN airflow_pin.pinned_version.dag_version_id IS
'Id of that version in Airflow''s dag_version. The pin goes by it, not by the number.';
COMMENT ON COLUMN airflow_pin.pinned_version.bundle_name IS
'DAG bundle of that version as it was when pinned; NULL: Airflow had none for it.';
COMMENT ON COLUMN airflow_pin.pinned_version.bundle_version IS
'The commit that pinned runs get; NULL for a DAG whose bundle is not versioned.';
COMMENT ON COLUMN airflow_pin.pinned_version.dag_hash IS
'Hash of the serialized DAG as it was when pinned; NULL: there was none.';
COMMENT ON COLUMN airflow_pin.pinned_version.source_code_hash IS
'Hash of the DAG file as it was when pinned; NULL: there was none.';
COMMENT ON COLUMN airflow_pin.pinned_version.on_mismatch IS
'What becomes of a run for anything else: rewrite (it gets the pinned version), reject (it is refused) or observe (it is only recorded).';
COMMENT ON COLUMN airflow_pin.pinned_version.run_types IS
'Run types that the pin holds; NULL: all.';
COMMENT ON COLUMN airflow_pin.pinned_version.reruns IS
'What becomes of existing runs that are to run again: airflow (Airflow chooses their version) or pinned (refused at any other version or commit than the pinned one).';
COMMENT ON COLUMN airflow_pin.pinned_version.allow_override IS
'May a run choose its version by the key airflow_pin_version of its conf?';
COMMENT ON COLUMN airflow_pin.pinned_version.expires_at IS
'The pin is valid until then; NULL: without an end.';
COMMENT ON COLUMN airflow_pin.pinned_version.reason IS
'Why, in the words of who pinned; NULL: none given.';
COMMENT ON COLUMN airflow_pin.pinned_version.pinned_by IS 'Who pinned: session_user.';
COMMENT ON COLUMN airflow_pin.pinned_version.pinned_at IS 'When pin() or rollback() was called.';
COMMENT ON COLUMN airflow_pin.pinned_version.history_id IS
'The row of pin_history with which this pin began.';
COMMENT ON COLUMN airflow_pin.pinned_version.schedule IS
'Whose schedule and limits the DAG has: pinned (those of the pinned version) or latest (those of the latest version, as Airflow has it).';
COMMENT ON COLUMN airflow_pin.pinned_version.airflow_revision IS
'Revision of Airflow''s tables (alembic_version) when pinned; NULL: not known, or the pin has followed a migration since.';
COMMENT ON COLUMN airflow_pin.pinned_version.content_updated_at IS
'When Airflow had last written the serialized DAG (its last_updated) when pinned; NULL: not known. With airflow_revision it tells what a migration has changed since.';
COMMENT ON COLUMN airflow_pin.pinned_version.schedule_chosen IS
'Was schedule given to pin(), so that the next pin keeps it, or did pin() take the pinned version''s because it can be held?';

CREATE TABLE airflow_pin.pin_lock (
    dag_id text COLLATE "C" PRIMARY KEY
);
COMMENT ON TABLE airflow_pin.pin_lock IS
'Rows to lock: commands on one DAG wait for each other, and commands on different DAGs do not.';
COMMENT ON COLUMN airflow_pin.pin_lock.dag_id IS
'A DAG whose pins a command has changed, or tried to.';

CREATE TABLE airflow_pin.pin_history (
    id                  bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    dag_id              text COLLATE "C" NOT NULL,
    event               text NOT NULL CHECK (event OPERATOR(pg_catalog.=) ANY (ARRAY['pin', 'move', 'schedule',
                                                                                     'rollback', 'unpin', 'expire'])),
    at                  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    by                  name NOT NULL DEFAULT session_user,
    reason              text,
    from_version        integer,
    to_version          integer,
    from_bundle_version text,
    to_bundle_version   text,
    valid_from          timestamptz,
    expires_at          timestamptz,
    pin                 jsonb,
    restores            bigint
);
CREATE INDEX pin_history_dag_id_id_idx ON airflow_pin.pin_history (dag_id, id);
COMMENT ON TABLE airflow_pin.pin_history IS
'Append-only: every pin, move, scheduled move, rollback, unpin and expiry. An expiry is entered by the next command on the DAG or by prune_decisions(), with the time at which it took effect.';
COMMENT ON COLUMN airflow_pin.pin_history.id IS 'Ascending; gaps mean nothing.';
COMMENT ON COLUMN airflow_pin.pin_history.dag_id IS 'The DAG that was or is pinned.';
COMMENT ON COLUMN airflow_pin.pin_history.event IS
'pin, move (another pin was in force), schedule (a pin that begins later), rollback, unpin or expire.';
COMMENT ON COLUMN airflow_pin.pin_history.at IS
'When the command was called; of an expiry: when the pin expired.';
COMMENT ON COLUMN airflow_pin.pin_history.by IS
'Who called the command (session_user); of an expiry: who called the one that entered it.';
COMMENT ON COLUMN airflow_pin.pin_history.reason IS
'Why, in the words of who called the command; of an expiry: the reason of the pin; NULL: none given.';
COMMENT ON COLUMN airflow_pin.pin_history.from_version IS
'Version of the pin that was in force until then; NULL: none was.';
COMMENT ON COLUMN airflow_pin.pin_history.to_version IS
'Version of the pin that began with this event; NULL for unpin and expire.';
COMMENT ON COLUMN airflow_pin.pin_history.from_bundle_version IS
'Commit of the pin that was in force until then; NULL: none was, or the bundle is not versioned.';
COMMENT ON COLUMN airflow_pin.pin_history.to_bundle_version IS
'Commit of the pin that began with this event; NULL for unpin and expire, or where the bundle is not versioned.';
COMMENT ON COLUMN airflow_pin.pin_history.valid_from IS
'Begin of the pin that began or expired with this event; NULL for unpin.';
COMMENT ON COLUMN airflow_pin.pin_history.expires_at IS 'End of that pin; NULL: it has none.';
COMMENT ON COLUMN airflow_pin.pin_history.pin IS
'The pin that began with this event, as a row of pinned_version; NULL for unpin and expire.';
COMMENT ON COLUMN airflow_pin.pin_history.restores IS
'For a rollback: the event whose pin it brought back; NULL where there was no earlier pin.';

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

CREATE TABLE airflow_pin.run_decision (
    id                       bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    dag_id                   text COLLATE "C" NOT NULL,
    run_id                   text NOT NULL,
    run_type                 text NOT NULL,
    action                   text NOT NULL CHECK (action OPERATOR(pg_catalog.=) ANY (ARRAY['rewrite', 'reject',
                                                                          'observe', 'override', 'failed'])),
    requested_version        integer,
    effective_version        integer,
    decided_at               timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    detail                   text,
    requested_bundle_version text,
    effective_bundle_version text,
    requested_dag_version_id uuid,
    effective_dag_version_id uuid,
    effective_dag_hash       text,
    airflow_schema           name NOT NULL,
    dag_run_id               bigint
);
CREATE INDEX run_decision_decided_at_idx ON airflow_pin.run_decision (decided_at);
CREATE INDEX run_decision_dag_id_run_id_idx ON airflow_pin.run_decision (dag_id, run_id);
COMMENT ON TABLE airflow_pin.run_decision IS
'Every run that a pin changed (rewrite, override), refused as a failed run (reject), only observed (observe), or that could not be done right (failed: detail says why and what to do).';
COMMENT ON COLUMN airflow_pin.run_decision.id IS 'Ascending; gaps mean nothing.';
COMMENT ON COLUMN airflow_pin.run_decision.dag_id IS 'The run''s DAG.';
COMMENT ON COLUMN airflow_pin.run_decision.run_id IS
'The run, as Airflow names it: dag_id and run_id are the key of dag_run.';
COMMENT ON COLUMN airflow_pin.run_decision.run_type IS
'scheduled, manual, backfill, asset_triggered, operator_triggered or asset_materialization.';
COMMENT ON COLUMN airflow_pin.run_decision.action IS
'rewrite, reject, observe, override (it is what its conf asked for) or failed.';
COMMENT ON COLUMN airflow_pin.run_decision.requested_version IS
'Version number that Airflow would have given the run; NULL: none, or one that is gone.';
COMMENT ON COLUMN airflow_pin.run_decision.effective_version IS
'The version that the run has; NULL where it was recorded as failed because none could be had.';
COMMENT ON COLUMN airflow_pin.run_decision.decided_at IS 'When the run was inserted.';
COMMENT ON COLUMN airflow_pin.run_decision.detail IS
'Why, in a sentence or two; for reject and failed also what to do.';
COMMENT ON COLUMN airflow_pin.run_decision.requested_bundle_version IS
'Commit that Airflow would have given the run; NULL: its bundle is not versioned.';
COMMENT ON COLUMN airflow_pin.run_decision.effective_bundle_version IS
'Commit that the run has; NULL: its bundle is not versioned, or effective_version is NULL.';
COMMENT ON COLUMN airflow_pin.run_decision.requested_dag_version_id IS
'Id in dag_version that Airflow would have given the run; NULL: none.';
COMMENT ON COLUMN airflow_pin.run_decision.effective_dag_version_id IS
'Id in dag_version that the run has; NULL where effective_version is.';
COMMENT ON COLUMN airflow_pin.run_decision.effective_dag_hash IS
'Hash of that version''s serialized DAG when the run was inserted; NULL: there was none.';
COMMENT ON COLUMN airflow_pin.run_decision.airflow_schema IS
'Schema of the dag_run that the run was inserted into.';
COMMENT ON COLUMN airflow_pin.run_decision.dag_run_id IS
'The run''s id in dag_run; NULL: not known when it was inserted.';

CREATE TABLE airflow_pin.paused_dag (
    label      text NOT NULL,
    dag_id     text COLLATE "C" NOT NULL,
    reason     text,
    paused_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    paused_by  name NOT NULL DEFAULT session_user,
    resumed_at timestamptz,
    PRIMARY KEY (label, dag_id)
);
COMMENT ON TABLE airflow_pin.paused_dag IS
'The DAGs that pause_all() paused, by label, and whether resume() has brought them back.';
COMMENT ON COLUMN airflow_pin.paused_dag.label IS 'The label that pause_all() was called with.';
COMMENT ON COLUMN airflow_pin.paused_dag.dag_id IS 'A DAG that was active before.';
COMMENT ON COLUMN airflow_pin.paused_dag.reason IS
'Why, in the words of who called pause_all(); NULL: none given.';
COMMENT ON COLUMN airflow_pin.paused_dag.paused_at IS 'When pause_all() was called.';
COMMENT ON COLUMN airflow_pin.paused_dag.paused_by IS 'Who called pause_all(): session_user.';
COMMENT ON COLUMN airflow_pin.paused_dag.resumed_at IS
'When resume() brought the DAG back, or found that somebody had; NULL: not yet.';

CREATE TABLE airflow_pin.throttle (
    label           text PRIMARY KEY,
    max_active_runs integer NOT NULL CHECK (max_active_runs OPERATOR(pg_catalog.>) 0),
    before          jsonb NOT NULL,
    throttled_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    throttled_by    name NOT NULL DEFAULT session_user
);
CREATE UNIQUE INDEX throttle_one_idx ON airflow_pin.throttle ((true));
COMMENT ON TABLE airflow_pin.throttle IS
'The limit that throttle() holds DAGs to, and what their max_active_runs was before, by DAG. At most one row.';
COMMENT ON COLUMN airflow_pin.throttle.label IS
'The label that throttle() was called with, to be given to unthrottle().';
COMMENT ON COLUMN airflow_pin.throttle.max_active_runs IS
'The limit in force: active runs of each DAG.';
COMMENT ON COLUMN airflow_pin.throttle.before IS
'By dag_id, what max_active_runs was of the DAGs that were above the limit; null where it was empty.';
COMMENT ON COLUMN airflow_pin.throttle.throttled_at IS 'When throttle() was last called.';
COMMENT ON COLUMN airflow_pin.throttle.throttled_by IS 'Who last called throttle(): session_user.';

CREATE TABLE airflow_pin.baseline_figure (
    label     text NOT NULL,
    figure    text NOT NULL,
    object    text NOT NULL,
    value     bigint NOT NULL,
    estimated boolean NOT NULL,
    taken_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    taken_by  name NOT NULL DEFAULT session_user,
    PRIMARY KEY (label, figure, object)
);
COMMENT ON TABLE airflow_pin.baseline_figure IS
'What baseline() has taken, for postflight() to compare with.';
COMMENT ON COLUMN airflow_pin.baseline_figure.label IS 'The label that baseline() was called with.';
COMMENT ON COLUMN airflow_pin.baseline_figure.figure IS
'What was measured, by the names that baseline() tells.';
COMMENT ON COLUMN airflow_pin.baseline_figure.object IS 'The table, for figure "rows"; else empty.';
COMMENT ON COLUMN airflow_pin.baseline_figure.value IS
'Rows, DAGs, runs or the like; seconds for queue_age_seconds.';
COMMENT ON COLUMN airflow_pin.baseline_figure.estimated IS
'Was value estimated, from the catalog and the size of the file? Above 100,000 rows it is not counted.';
COMMENT ON COLUMN airflow_pin.baseline_figure.taken_at IS 'When baseline() was called.';
COMMENT ON COLUMN airflow_pin.baseline_figure.taken_by IS 'Who called baseline(): session_user.';

SELECT pg_catalog.pg_extension_config_dump('airflow_pin.pinned_version', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.pin_history', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.run_decision', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.held_schedule', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.schedule_due', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.extension_update', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.paused_dag', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.baseline_figure', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.throttle', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.pin_history_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.run_decision_id_seq', '');

GRANT SELECT ON airflow_pin.held_schedule, airflow_pin.schedule_due, airflow_pin.extension_update TO pg_monitor;
GRANT SELECT ON airflow_pin.pinned_version, airflow_pin.pin_history, airflow_pin.run_decision,
    airflow_pin.paused_dag, airflow_pin.baseline_figure, airflow_pin.throttle TO pg_monitor;
-- With these, pg_dump works for a role that owns Airflow's tables and monitors.
GRANT SELECT ON airflow_pin.pin_history_id_seq, airflow_pin.run_decision_id_seq TO pg_monitor;

---------------------------------------------------------------------------------------------------
-- Triggers
---------------------------------------------------------------------------------------------------

CREATE FUNCTION airflow_pin.enforce_run() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_enforce_run';
COMMENT ON FUNCTION airflow_pin.enforce_run() IS
'Trigger for Airflow''s dag_run, put there by attach(): lets a new run pass, gives it the pinned version, or refuses it. Raises P0001 for a refused run that somebody asked for; a scheduler''s run is refused by inserting it as failed. Under a pin with reruns => pinned, also raises P0001 for an update that would run an existing run again at another version or commit than the pinned one.';

CREATE FUNCTION airflow_pin.adopt_version() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_adopt_version';
COMMENT ON FUNCTION airflow_pin.adopt_version() IS
'Trigger for Airflow''s task_instance, put there by attach(): makes the task instances of a run that a pin has just rewritten those of its version while they are inserted. What cannot be told then is set at commit. Raises nothing of its own.';

CREATE FUNCTION airflow_pin.protect_version() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_protect_version';
COMMENT ON FUNCTION airflow_pin.protect_version() IS
'Trigger for Airflow''s serialized_dag, dag_version and dag_code, put there by attach(): a change that Airflow makes to a pinned version in place becomes a version of its own. Raises nothing.';

CREATE FUNCTION airflow_pin.keep_version() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_keep_version';
COMMENT ON FUNCTION airflow_pin.keep_version() IS
'Trigger for Airflow''s serialized_dag, dag_version and dag_code, put there by attach(): a row of a pinned version is not deleted, which a NOTICE tells, unless its DAG is deleted. Raises 55006 where "airflow db clean" would delete the DAG of a pinned version.';

CREATE FUNCTION airflow_pin.end_clean() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_end_clean';
COMMENT ON FUNCTION airflow_pin.end_clean() IS
'Trigger for Airflow''s dag_version, put there by attach(): raises 55006 when "airflow db clean" has nothing but pinned versions left to delete; it then goes on with the next table, and would otherwise try for ever.';

CREATE FUNCTION airflow_pin.hold_schedule() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_hold_schedule';
COMMENT ON FUNCTION airflow_pin.hold_schedule() IS
'Trigger of dag: schedule and limits of a DAG whose pin holds them become those of the pinned version, and a later commit that cannot be parsed or lacks the DAG does not stop it. Raises nothing.';

CREATE FUNCTION airflow_pin.settle_schedule() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_settle_schedule';
COMMENT ON FUNCTION airflow_pin.settle_schedule() IS
'Trigger of pinned_version and schedule_due: at commit, sets the next run of a DAG right in dag, unless that row is locked.';

CREATE FUNCTION airflow_pin.reconcile_run() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_reconcile_run';
COMMENT ON FUNCTION airflow_pin.reconcile_run() IS
'Trigger of run_decision: at commit, makes a changed run''s task instances those of its version.';

CREATE FUNCTION airflow_pin.announce_pins() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_announce_pins';
COMMENT ON FUNCTION airflow_pin.announce_pins() IS
'Trigger of pinned_version: tells every session that pins have changed.';

CREATE FUNCTION airflow_pin.refuse_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_refuse_change';
COMMENT ON FUNCTION airflow_pin.refuse_change() IS
'Trigger of pin_history: raises 55000 for whatever would change or remove history.';

CREATE CONSTRAINT TRIGGER reconcile_run AFTER INSERT ON airflow_pin.run_decision
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.effective_dag_version_id IS NOT NULL
          AND (NEW.requested_dag_version_id IS NULL
               OR NEW.effective_dag_version_id OPERATOR(pg_catalog.<>) NEW.requested_dag_version_id))
    EXECUTE FUNCTION airflow_pin.reconcile_run();

CREATE CONSTRAINT TRIGGER settle_schedule AFTER INSERT OR UPDATE OR DELETE ON airflow_pin.pinned_version
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION airflow_pin.settle_schedule();
CREATE CONSTRAINT TRIGGER settle_schedule AFTER INSERT ON airflow_pin.schedule_due
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION airflow_pin.settle_schedule();

-- For each row, because logical replication fires no others.
CREATE TRIGGER announce_pins AFTER INSERT OR UPDATE OR DELETE ON airflow_pin.pinned_version
    FOR EACH ROW EXECUTE FUNCTION airflow_pin.announce_pins();
CREATE TRIGGER announce_truncate AFTER TRUNCATE ON airflow_pin.pinned_version
    FOR EACH STATEMENT EXECUTE FUNCTION airflow_pin.announce_pins();
ALTER TABLE airflow_pin.pinned_version ENABLE ALWAYS TRIGGER announce_pins;
ALTER TABLE airflow_pin.pinned_version ENABLE ALWAYS TRIGGER announce_truncate;

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE
    ON airflow_pin.pin_history FOR EACH STATEMENT
    EXECUTE FUNCTION airflow_pin.refuse_change();

---------------------------------------------------------------------------------------------------
-- Pinning
---------------------------------------------------------------------------------------------------

CREATE FUNCTION airflow_pin.attach(airflow_schema name DEFAULT NULL,
                                   lock_timeout interval DEFAULT '2s')
    RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_attach';
COMMENT ON FUNCTION airflow_pin.attach(name, interval) IS
'Puts the triggers on Airflow''s dag_run, task_instance, serialized_dag, dag_version and dag_code, so that pins are in force, and mends what a restore or a switchover has left of the extension''s own triggers and sequences; lets the tables'' owner read the extension''s tables, for pg_dump; does nothing where all is well. Needs a superuser, or the tables'' owner with EXECUTE on the functions of the triggers, and SHARE ROW EXCLUSIVE on the tables: raises 55P03 after lock_timeout, naming who holds a table, rather than queue behind a long lock. Returns nothing. Other errors: 42P01 no Airflow 3 tables, 42703 a table lacks a column that pins need, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55000 attached to another schema, 42501 the tables have several owners, their schema has another one, or the caller is not their owner, 22023 lock_timeout out of range.';

CREATE FUNCTION airflow_pin.grant_dump_rights()
    RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_grant_dump_rights';
COMMENT ON FUNCTION airflow_pin.grant_dump_rights() IS
'Lets the role that owns Airflow''s tables read the tables of the extension, so that a pg_dump by that role works and has the pins in it. CREATE EXTENSION, ALTER EXTENSION UPDATE and attach() call it. Returns false where there are no tables of Airflow, or in several schemas: attach() does it then. Errors: none of its own.';

CREATE FUNCTION airflow_pin.detach()
    RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_detach';
COMMENT ON FUNCTION airflow_pin.detach() IS
'Takes the triggers off Airflow''s tables. Pins stay, and are not in force until attach(); does nothing where none is attached. Needs a superuser or the tables'' owner. Returns nothing. Errors: 55P03 after 2 s of waiting for a lock, naming who holds the table, 42501 not the tables'' owner.';

CREATE FUNCTION airflow_pin.status(OUT item text, OUT state text, OUT detail text)
    RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'airflow_pin_status';
COMMENT ON FUNCTION airflow_pin.status() IS
'Are pins in force? One row an item: in_force (the answer: yes only if a run that a role with the right to insert runs inserts now into any pinned DAG would be held, no, or unknown where nothing is known to keep it from that but the revision of Airflow is not known), extension, library, airflow_schema, airflow_revision, each trigger on Airflow''s tables (present, missing or disabled), enabled, unpinned_dags, version_guard (on or off: are pinned versions kept; the detail names who holds the lock of migrations, and the statement that ends that), pins, changed_pins (how many pinned versions were changed in place or deleted, and of which DAGs). state says how it is, detail what that means and how to mend it. Never waits for a lock.';

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

CREATE PROCEDURE airflow_pin.await_commit(
        dag_id text,
        bundle_version text,
        timeout interval DEFAULT '5 min',
        poll interval DEFAULT '1 s')
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_await_commit';
COMMENT ON PROCEDURE airflow_pin.await_commit(text, text, interval, interval) IS
'Returns when a commit of a DAG is parsed, so that pin(dag_id, bundle_version => …) pins its version. dag.bundle_version is no sign of that: within [core] min_serialized_dag_update_interval after a change Airflow gives new runs a commit that it has not looked at; see setting airflow_pin.min_serialized_dag_update_interval. Looks once in poll (at least 10 ms), and holds no snapshot and no lock between looks. Errors: 02000 at the timeout, with what is parsed instead; 25001 inside a transaction block; 22004 an argument is NULL; 22023 timeout or poll out of range; 42P01 no Airflow 3 tables.';

CREATE FUNCTION airflow_pin.unpin(dag_id text, reason text DEFAULT NULL)
    RETURNS airflow_pin.pinned_version LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_unpin';
COMMENT ON FUNCTION airflow_pin.unpin(text, text) IS
'Back to auto-deploy latest: removes the DAG''s pin and its scheduled pins. Returns the pin that was in force, NULL when there was none. Errors: 42704 no such DAG and no pin of that name, 22004 dag_id is NULL, 40001 as pin().';

CREATE FUNCTION airflow_pin.rollback(dag_id text, reason text DEFAULT NULL)
    RETURNS airflow_pin.pinned_version LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_rollback';
COMMENT ON FUNCTION airflow_pin.rollback(text, text) IS
'Pins the DAG to the version, commit and settings of the pin before the current one (after unpin(): of the last pin); without an earlier pin to the version before the pinned or latest one. Called again it goes further back. Returns the new pin. Errors as pin(), P0002 when there is nothing to go back to, and 55000 where that version was changed in place since it was pinned.';

CREATE FUNCTION airflow_pin.resolve(
        dag_id text, run_type text DEFAULT 'scheduled',
        OUT version_number integer, OUT dag_version_id uuid, OUT bundle_version text,
        OUT action text, OUT reason text)
    RETURNS record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'airflow_pin_resolve';
COMMENT ON FUNCTION airflow_pin.resolve(text, text) IS
'What a new run of the DAG would get now, and why. action: latest (no pin has a say), matches, rewrite, reject, observe, or failed (it cannot be done right: reason says what to do). version_number, dag_version_id and bundle_version are those of the run; NULL for failed, bundle_version also where the bundle is not versioned. Errors: 42704 no such DAG, P0002 it has no version, 22023 unknown run type, 22004 NULL, 42P01 no Airflow 3 tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.pins(
        OUT dag_id text, OUT pinned_version integer, OUT latest_version integer,
        OUT versions_behind integer, OUT on_mismatch text, OUT bundle_version text,
        OUT pinned_by name, OUT pinned_at timestamptz, OUT expires_at timestamptz,
        OUT reason text, OUT drift text[], OUT schedule text)
    RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'airflow_pin_pins_1_1';
COMMENT ON FUNCTION airflow_pin.pins() IS
'The pins in force, by dag_id, beside each DAG''s latest version: versions_behind is the difference of the two numbers, NULL as is latest_version where Airflow has no version of the DAG any more. The other columns are as in pinned_version. drift names what differs between the two: newer_version, tasks_differ (where diff() shows a task), schedule_differs, content_changed (the DAG file, or the pinned version itself, is not what it was when pinned), bundle_unversioned; and why the next run that the pin holds would fail, as resolve() says in words: version_missing (the version, or its serialized DAG), changed_in_place (something else than a parse or a migration has changed the pinned version), bundle_moved (the DAG is in another bundle than the pinned commit), not_computable (its task instances). schedule_not_held: the schedule in force is not the pinned version''s; of a DAG that has schedule pinned, import_error: a later commit of its file cannot be parsed, and dag_removed: a later commit has the DAG no more. Where Airflow''s tables are locked, missing or not understood, it is {unknown} alone. Waits for no lock. A name that a release adds comes at the end.';

CREATE FUNCTION airflow_pin.diff(
        dag_id text, from_version integer, to_version integer,
        OUT kind text, OUT item text, OUT from_value jsonb, OUT to_value jsonb)
    RETURNS SETOF record LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'airflow_pin_diff';
COMMENT ON FUNCTION airflow_pin.diff(text, integer, integer) IS
'What changes between two versions of a DAG. kind: task_added, task_removed, task_changed (item is task_id.field), schedule, setting; values are as in the serialized DAG, NULL where a side has none; items "in words" and "limits in words" have schedule and limits as sentences. No rows where nothing differs, or for a NULL. Errors: 42704 no such DAG, P0002 no such version, or its serialized DAG is gone, 0A000 serialized in an unknown format, 22P02 or 22P05 no JSON that PostgreSQL can hold, 54000 larger than can be read, 42P01 no Airflow 3 tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.next_runs(
        dag_id text, version_number integer DEFAULT NULL, count integer DEFAULT 5, after timestamptz DEFAULT NULL,
        OUT logical_date timestamptz, OUT data_interval_start timestamptz,
        OUT data_interval_end timestamptz, OUT run_after timestamptz)
    RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'airflow_pin_next_runs';
COMMENT ON FUNCTION airflow_pin.next_runs(text, integer, integer, timestamptz) IS
'The next runs that a version''s schedule gives, as its Airflow''s own timetable would reckon them; nothing is changed. version_number NULL: the version of the pin in force, without one the latest. Begins after the newest scheduled or backfill run, each run being created when it is due (run_after); limits on active runs, and whether the DAG is paused, are not looked at. after: only runs that are due later; a cron schedule is asked as if it were that moment and all runs up to it had been, so that it may be in the past. Of @continuous one row comes, of no schedule none; where Airflow would log an error and create no further run, a NOTICE says why; another, where the schedule depends on which croniter Airflow has. Errors: 42704 no such DAG, P0002 no such version, 0A000 a schedule that cannot be computed (assets, partitions, events, a plugin''s timetable, random cron values, a time zone that the server lacks) or serialized in an unknown format, 22023 count not between 1 and 10000, 22008 after is out of range, 54000 too many runs come before it, 22004 dag_id or count is NULL, 42P01 no Airflow 3 tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.prune_decisions(older_than interval DEFAULT '90 days')
    RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'airflow_pin_prune_decisions';
COMMENT ON FUNCTION airflow_pin.prune_decisions(interval) IS
'Removes rows of run_decision older than that, and enters expired pins in pin_history. Returns the rows removed. Error: 22023 for a negative interval.';

---------------------------------------------------------------------------------------------------
-- Before, during and after a migration
---------------------------------------------------------------------------------------------------

CREATE TYPE airflow_pin.finding AS (
    check_name text,
    severity   text,
    object     text,
    value      text,
    threshold  text,
    message    text,
    hint       text,
    fix_sql    text
);
COMMENT ON TYPE airflow_pin.finding IS
'What a health check found.';
COMMENT ON COLUMN airflow_pin.finding.check_name IS
'Which check found it, as preflight() and the others list them.';
COMMENT ON COLUMN airflow_pin.finding.severity IS
'ok, info, unknown (it could not be looked at; message says why), warning, or critical (mend it before you go on: the migration fails or hangs, or Airflow does not come up after it, or work that is going on is cut off).';
COMMENT ON COLUMN airflow_pin.finding.object IS
'What it is about: a table, a column, a session, a DAG, a figure''s table; NULL: the whole database.';
COMMENT ON COLUMN airflow_pin.finding.value IS
'What was found, as text with its unit, mostly a number of rows; NULL: nothing was measured.';
COMMENT ON COLUMN airflow_pin.finding.threshold IS
'What it was compared with, as text, such as the limit of the check, or the figure before for postflight(); NULL: with nothing.';
COMMENT ON COLUMN airflow_pin.finding.message IS 'What it is, in words.';
COMMENT ON COLUMN airflow_pin.finding.hint IS 'What to do about it; NULL: nothing.';
COMMENT ON COLUMN airflow_pin.finding.fix_sql IS
'SQL that would mend it, for you to read and run: the extension never does; NULL: there is none.';

CREATE FUNCTION airflow_pin.table_sizes(
        OUT relation text, OUT fab boolean, OUT total_bytes bigint, OUT heap_bytes bigint,
        OUT index_bytes bigint, OUT toast_bytes bigint, OUT estimated_rows bigint,
        OUT dead_rows bigint, OUT last_vacuum timestamptz, OUT rewrite_low interval,
        OUT rewrite_high interval)
    RETURNS SETOF record LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_table_sizes';
COMMENT ON FUNCTION airflow_pin.table_sizes() IS
'Size of each table of Airflow and FAB, leftovers of earlier migrations (_airflow_moved__*, _airflow_deleted__*, _xcom_archive) and partitions included, by name; fab: of the FAB auth manager, which migrates its tables by itself. Never waits for a lock on them: bytes are read from the file system, so that it answers while a migration holds ACCESS EXCLUSIVE. Bytes count all forks, toast_bytes its index too; estimated_rows is NULL for a table that was never analyzed, dead_rows is the statistics'' estimate, last_vacuum is the later one of by hand and automatic. Rewriting the table with its indexes takes rewrite_low to rewrite_high: at airflow_pin.rewrite_mb_per_second (default: 100 GB an hour) to half of that rate. No rows and a NOTICE in a database without Airflow. Error: 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.locks(
        OUT pid integer, OUT usename name, OUT application_name text, OUT relation text,
        OUT mode text, OUT granted boolean, OUT wait_event_type text, OUT wait_event text,
        OUT state text, OUT xact_age interval, OUT query_age interval, OUT blocked_by integer[],
        OUT root_blocker integer, OUT depth integer, OUT query text, OUT cancel_sql text)
    RETURNS SETOF record LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_locks';
COMMENT ON FUNCTION airflow_pin.locks() IS
'Who holds and who waits for locks on the tables of Airflow and FAB, a row a session, table and mode (locks on indexes and TOAST count as the table''s), each root with its waiters below. blocked_by is as in pg_blocking_pids(), 0 for a prepared transaction, whose own row has pid NULL and state "prepared transaction"; root_blocker is the end of the chain, NULL for a session that does not wait, and depth the length of the chain. A blocker that has no lock on these tables has one row with relation NULL. cancel_sql ends the root blocker, or the session itself where it does not wait: pg_cancel_backend, pg_terminate_backend for an idle one, ROLLBACK PREPARED. The first two need membership in pg_signal_backend or in that session''s role, or a superuser where that session is one''s; the last needs its owner or a superuser. Takes no lock on the tables; queries of others are shown as in pg_stat_activity. No rows and a NOTICE in a database without Airflow. Error: 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.in_flight(
        OUT kind text, OUT state text, OUT dag_id text, OUT count bigint,
        OUT oldest timestamptz, OUT age interval)
    RETURNS SETOF record LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_in_flight';
COMMENT ON FUNCTION airflow_pin.in_flight() IS
'What is not finished, a row a kind (dag_run, task_instance, backfill), state and DAG; oldest and age say since when the oldest has been in that state. Task instances count in the states scheduled, queued, running, restarting, up_for_retry, up_for_reschedule, deferred, awaiting_input and shutdown. Waits for no lock: a table that a migration holds, or that has rules, gives one row with state unknown and NULL in all further columns, and a NOTICE that names who holds it. No rows and a NOTICE in a database without Airflow. Error: 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE PROCEDURE airflow_pin.drain(timeout interval DEFAULT '30 min', poll interval DEFAULT '30 s')
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_drain';
COMMENT ON PROCEDURE airflow_pin.drain(interval, interval) IS
'Waits until in_flight() has no rows, looking every poll, and says at each what is left and how long it has waited; at the timeout it warns and returns. A table that is locked, or has rules, counts as in flight. Holds no snapshot and no lock between polls, and can be cancelled at any time. Errors: 25001 inside a transaction block, 22004 NULL, 22023 timeout below 0 or poll below 10 ms, 42P01 no Airflow tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.preflight(target text DEFAULT NULL)
    RETURNS SETOF airflow_pin.finding LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_preflight';
COMMENT ON FUNCTION airflow_pin.preflight(text) IS
'Every check before "airflow db migrate" in one list, worst first; target is the Airflow version to migrate to, as 3.3.2. Checks: airflow_schema, target, revision, fab_provider, standby, paused_dags, heartbeats, sessions, in_flight, queued_long, callbacks, lock_holders, idle_in_transaction, prepared_transactions, migration_lock, long_transactions, autovacuum, wraparound, table_sizes, leftovers, dead_rows, disk_space, sequences, dependent_views, foreign_triggers, deferred_triggers, publications, replica_identity, foreign_keys, dependent_expressions, dependent_objects, taken_names, needed_names, repeated_keys, owners, schema_privileges, extensions, invalid_indexes, unvalidated_constraints, time_zone, timeouts, read_only, event_triggers, connections, replication_slots, archiver, and those of fab_report() and bad_rows(). Waits for no lock on Airflow''s tables; a check that cannot be made has severity unknown and says why. Error: 22023 target is not a version.';

CREATE FUNCTION airflow_pin.is_ready(target text DEFAULT NULL)
    RETURNS boolean LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_is_ready';
COMMENT ON FUNCTION airflow_pin.is_ready(text) IS
'Has preflight() no critical finding? false, too, in a database without Airflow, at a revision that is not known, or on a standby. Error: 22023 target is not a version, or of a release that is not known.';

CREATE FUNCTION airflow_pin.fab_report(max_rows bigint DEFAULT 1000000,
                                       max_time interval DEFAULT '0.5 s')
    RETURNS SETOF airflow_pin.finding LANGUAGE c STABLE
    AS 'MODULE_PATHNAME', 'airflow_pin_fab_report';
COMMENT ON FUNCTION airflow_pin.fab_report(bigint, interval) IS
'Orphans (fab_orphans), duplicates (fab_duplicates) and NULLs (fab_nulls) in the FAB tables, worst first; critical: "airflow db migrate" stops at them. value is the number of rows, fix_sql would clean them. Of a table of more than max_rows rows, or when max_time is over, only a part is read and message says which; NULL for both reads everything. Never waits for a lock: unknown, naming the holder. Errors: 22023 for limits that are not positive.';

CREATE FUNCTION airflow_pin.bad_rows(max_rows bigint DEFAULT 1000000,
                                     max_time interval DEFAULT '0.8 s',
                                     target text DEFAULT NULL)
    RETURNS SETOF airflow_pin.finding LANGUAGE c STABLE
    AS 'MODULE_PATHNAME', 'airflow_pin_bad_rows';
COMMENT ON FUNCTION airflow_pin.bad_rows(bigint, interval, text) IS
'Rows and values that make a step of "airflow db migrate" to the Airflow version "target" (NULL: the newest known) stop (critical) or that it changes (warning), worst first: orphans, xcom_values, xcom_archive, dag_run_conf, json_values, long_values, teams, deadlines. value is the number of rows, fix_sql would mend them. Of a table of more than max_rows rows, or when max_time is over, only a part is read and message says which; NULL for both reads everything. Never waits for a lock: unknown, naming the holder. Errors: 22023 for limits that are not positive, and a target that is no version.';

CREATE FUNCTION airflow_pin.migration_plan(target text DEFAULT NULL,
        OUT step integer, OUT component text, OUT revision text, OUT airflow_version text,
        OUT relation text, OUT operation text, OUT lock_mode text, OUT rewrites boolean,
        OUT scans boolean, OUT estimated_rows bigint, OUT bytes bigint, OUT eta_low interval,
        OUT eta_high interval, OUT updates_rows boolean)
    RETURNS SETOF record LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_migration_plan';
COMMENT ON FUNCTION airflow_pin.migration_plan(text) IS
'What "airflow db migrate" to the Airflow release "target" (NULL: the newest known; the known release of 3.3 stands for 3.3.1, say, which a NOTICE tells) will do from the current revisions on, in order; no rows when there is nothing to do. component: core or fab; airflow_version: the release that brought the revision, for fab that of its provider. relation is the name that the table has by then; NULL where a revision changes no table. lock_mode: the strongest lock that the migration holds on the relation by then, until the revision''s transaction ends. rewrites: the table''s file is written anew; scans: it is read in full; updates_rows: all or most of its rows are updated or deleted. estimated_rows (from the last VACUUM or ANALYZE) and bytes (of the files, with indexes and TOAST) are those of now, of a partitioned table its partitions'' sum; NULL for a table that is not there yet, rows also for one never analyzed. eta_low and eta_high: how long the step takes once it has its lock, not counting waits; NULL for a table never analyzed. Waits for no lock of a table of Airflow. Errors: 22023 unknown target, or one older than the database; 55000 unknown revision in the database; 55P03 the version table is locked; 42P01 no Airflow tables; 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.pause_all(label text, reason text DEFAULT NULL,
                                      OUT total integer, OUT paused_before integer,
                                      OUT paused_now integer)
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_pause_all';
COMMENT ON FUNCTION airflow_pin.pause_all(text, text) IS
'Pauses every DAG of Airflow and remembers in paused_dag, under the label, those that were active, for resume(). total: DAGs there are; paused_before: those that were paused already; paused_now: those that this call paused. Calling it again adds what has become active since. A NOTICE names other labels under which DAGs are still paused. Needs no right on Airflow''s tables. Waits at most 10 s for a row of dag. Errors: 22004 no label, 42P01 no table dag, 42809 it is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55000 a deferred trigger on dag, 55P03 dag is locked, or a row of it for 10 s, naming who holds it.';

CREATE FUNCTION airflow_pin.resume(label text, tag text DEFAULT NULL, dag_like text DEFAULT NULL,
                                   max_dags integer DEFAULT NULL)
    RETURNS SETOF text LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_resume';
COMMENT ON FUNCTION airflow_pin.resume(text, text, text, integer) IS
'Brings back DAGs that pause_all() paused under the label, and returns them: those with the tag, whose dag_id is LIKE dag_like, at most max_dags of them; NULL: no such condition. DAGs with a tag "critical" come first, then by dag_id. A DAG that is gone, or that somebody has paused again after it was resumed, is left, and a NOTICE says so. A tag or a dag_like that no DAG of the label has, as by a typing error, gives a WARNING with the tags that there are. Waits at most 10 s for a row of dag or of paused_dag. Repeating a call does no harm. Errors: 22004 no label, 42704 nothing was paused under it, 22023 max_dags below 1, 42P01 no table dag or dag_tag, 42809 one that is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55000 a deferred trigger on dag, 55P03 one of them is locked, or a row for 10 s, naming who holds it.';

CREATE FUNCTION airflow_pin.hold_max_active_runs() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_hold_max_active_runs';
COMMENT ON FUNCTION airflow_pin.hold_max_active_runs() IS
'Trigger for Airflow''s dag, put there by throttle(): a max_active_runs above its argument, or without a value, becomes the argument. Raises nothing.';

CREATE FUNCTION airflow_pin.throttle(label text, max_active_runs integer)
    RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_throttle';
COMMENT ON FUNCTION airflow_pin.throttle(text, integer) IS
'Holds max_active_runs of every DAG down to the limit, although each parse writes it back, until unthrottle(); returns the number of DAGs whose limit it changed. Calling it again with the same label changes the limit, up or down; what the DAGs had before the first call stays remembered. Needs to own table dag (or to be superuser) and ACCESS EXCLUSIVE on it for a moment: raises 55P03 after 2 s, naming who holds it. Other errors: 22004 no label, 22023 limit below 1, 55000 throttled under another label, or a deferred trigger on dag, 0A000 before Airflow 3.1, whose scheduler does not read this column, 42P01 no Airflow tables, 42809 dag or dag_run is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.unthrottle(label text)
    RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_unthrottle';
COMMENT ON FUNCTION airflow_pin.unthrottle(text) IS
'Ends throttle(): takes its trigger off and gives the DAGs back the max_active_runs that they had, but for those that were set lower since; returns their number. Locks and rights as throttle(). Errors: 22004 no label, 42704 not throttled under it, 55P03 dag is locked, 55000 a deferred trigger on dag, 0A000 before Airflow 3.1, 42P01 no Airflow tables, 42809 dag or dag_run is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.baseline(label text)
    RETURNS SETOF airflow_pin.finding LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_baseline';
COMMENT ON FUNCTION airflow_pin.baseline(text) IS
'Takes figures before a migration and keeps them in baseline_figure under the label, for postflight(): rows (of tables that no migration should lose rows of; estimated above 100,000 or 256 MB), dags, paused_dags, import_errors, serialized_dags, runs_last_hour, tasks_last_hour, failed_runs_last_hour, failed_tasks_last_hour, queue_age_seconds. One finding a figure, of severity info; unknown: it could not be read, and message says why, or who has locked the table; rows also where more than a fifth of a table that is only estimated has changed since its last ANALYZE, or that was never analyzed: fix_sql does it. Errors: 22004 no label, 42710 the label has a baseline, 42P01 no Airflow tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.postflight(label text)
    RETURNS SETOF airflow_pin.finding LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_postflight';
COMMENT ON FUNCTION airflow_pin.postflight(text) IS
'After a migration, worst first: each figure of the label''s baseline compared with that of now (value now, threshold before), and whether the migration of core and of FAB is complete (revision), pins are in force (pins), FAB''s tables are there (fab_tables), scheduler, triggerer and DAG processor are alive (heartbeats), unfinished task instances have a DAG version (unversioned_tasks), throttle() is still on (throttle: info, after a day warning; fix_sql ends it), indexes and constraints are valid, statistics are fresh, and what is left over to be dropped (leftovers). Waits for no lock on Airflow''s tables. Errors: 22004 no label, 42704 no such baseline, 42P01 no Airflow tables, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.lost_on_rollback(since timestamptz, OUT kind text, OUT dag_id text,
                                             OUT count bigint, OUT first timestamptz,
                                             OUT last timestamptz)
    RETURNS SETOF record LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_lost_on_rollback';
COMMENT ON FUNCTION airflow_pin.lost_on_rollback(timestamptz) IS
'What restoring a backup taken at "since" would lose: what is new or has changed since then, by kind (dag_run, task_instance, xcom, dag_version, backfill, log; variable and connection: changes that the audit log knows; user) and, where it belongs to one, by DAG, with the times of the first and last; a time in the future gives a WARNING. Reads dag_run in full. Waits for no lock on Airflow''s tables: for one that is locked, is a view or has rules, count is NULL and a NOTICE says so, and who holds it. No rows and a NOTICE in a database without Airflow. Errors: 22004 since is NULL, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.export_runs(since timestamptz)
    RETURNS SETOF jsonb LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_export_runs';
COMMENT ON FUNCTION airflow_pin.export_runs(timestamptz) IS
'The runs that are new or have changed since then, one JSON object each: dag_run, task_instances and xcoms, with all columns; what is needed to look at them after a backup was restored. What no jsonb can hold (more than 256 MB, or \u0000) is NULL, but for the names of the run, and a WARNING says of which run and part; one comes of a time in the future, too. Holds conf and XCom values: grant EXECUTE with care. Errors: 22004 since is NULL, 42P01 no Airflow tables, 42809 one of them is a view or has rules, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none, 55P03 a table is locked, naming who holds it.';

CREATE FUNCTION airflow_pin.migration_status(
        OUT verdict text, OUT pid integer, OUT phase text, OUT component text, OUT revision text,
        OUT relation text, OUT done_bytes bigint, OUT total_bytes bigint, OUT percent numeric,
        OUT bytes_per_second numeric, OUT eta interval, OUT running_for interval,
        OUT wait_event_type text, OUT wait_event text, OUT blocked_by integer[], OUT evidence text,
        OUT next_action text, OUT root_blocker integer, OUT end_sql text,
        OUT revisions_left integer, OUT left_low interval, OUT left_high interval)
    RETURNS SETOF record LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_migration_status';
COMMENT ON FUNCTION airflow_pin.migration_status() IS
'For \watch beside "airflow db migrate": a row for each session that migrates, or one that says not running. verdict: working, blocked (by a lock, a synchronous standby, or I/O that does not happen), idle in transaction (its client sends nothing for 5 s), stalled (active, but no CPU time and no I/O for 3 s of watching, on Linux only; or a session that holds the advisory lock of a migration and does not migrate) or not running. evidence says why, next_action what to do. revision is the one that is being applied, relation and phase what is done to which table. done_bytes, total_bytes and percent are those of one operation: a rewrite (table and indexes), an index, a VACUUM, or an UPDATE of all rows; NULL where nothing can be measured. bytes_per_second is since the previous call in the same session, eta the time left of the operation, by all that this session has seen of it; both NULL at the first call. running_for: age of the transaction, that is of the revision. blocked_by is as in pg_blocking_pids(); root_blocker is the end of the chain and end_sql ends it; it needs membership in pg_signal_backend or in that session''s role, or a superuser where that session is one''s, and next_action says which where the caller lacks it. revisions_left, left_low and left_high count what is not committed, up to the newest known release, as migration_plan(). Never waits for a lock. A caller who is not a member of pg_monitor needs EXECUTE on migration_plan() and locks(), too, and does not see statements of others. Error: 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

CREATE FUNCTION airflow_pin.status_report(label text)
    RETURNS text LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'airflow_pin_status_report';
COMMENT ON FUNCTION airflow_pin.status_report(text) IS
'A few lines of Markdown for those who wait for a migration: what it is at and since when, when the operation at hand ends, what blocks it, what happens next, what is left, how many of the DAGs paused under the label are back, and whether runs are throttled. From migration_status(), baseline(), pause_all() and throttle() of that label, so that the end of an operation is told from the second call in a session on. A label that none of them was given gives a NOTICE with those that there are. Waits for no lock. Errors: 22004 no label, 3F000 several schemas have Airflow tables, or airflow_pin.airflow_schema names one that has none.';

---------------------------------------------------------------------------------------------------
-- Rights: who may pin is for the DBA to say; monitoring may look.
---------------------------------------------------------------------------------------------------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA airflow_pin FROM PUBLIC;
GRANT EXECUTE ON FUNCTION airflow_pin.status(), airflow_pin.pins(), airflow_pin.resolve(text, text),
        airflow_pin.table_sizes(), airflow_pin.locks(), airflow_pin.in_flight(),
        airflow_pin.fab_report(bigint, interval), airflow_pin.bad_rows(bigint, interval, text),
        airflow_pin.preflight(text), airflow_pin.is_ready(text), airflow_pin.migration_plan(text),
        airflow_pin.migration_status(), airflow_pin.postflight(text), airflow_pin.status_report(text),
        airflow_pin.lost_on_rollback(timestamptz)
    TO pg_monitor;
REVOKE ALL ON PROCEDURE airflow_pin.await_commit(text, text, interval, interval) FROM PUBLIC;
REVOKE ALL ON PROCEDURE airflow_pin.drain(interval, interval) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE airflow_pin.drain(interval, interval) TO pg_monitor;

-- A pg_dump that works before CREATE EXTENSION works after it.
SELECT airflow_pin.grant_dump_rights();
