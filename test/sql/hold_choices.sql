-- Whose schedule it is: what may be chosen, what is kept, and what is taken where nobody chooses.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/hold.sql
CALL lab.scheduled('d', 'c1', lab.cron('0 0 * * *'));
CALL lab.scheduled('d', 'c2', lab.simple('AssetTriggeredTimetable'));
CALL lab.scheduled('d', 'c3', lab.cron('0 1 * * *'));

-- Not given: the pinned version's where that can be held.
SELECT version_number, schedule FROM airflow_pin.pin('d', 1);
SELECT version_number, schedule FROM airflow_pin.pin('d', 2);
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, on_mismatch => 'observe');
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, on_mismatch => 'rewrite', run_types => '{manual}');
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, run_types => '{manual,scheduled}');
-- Given, it is kept.
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, schedule => 'latest');
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, schedule => 'pinned');
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
SELECT * FROM lab.whose;
-- Refused.
SELECT airflow_pin.pin('d', 2);
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 1, on_mismatch => 'reject');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 1, run_types => '{manual}');
\echo :SQLSTATE
SELECT airflow_pin.pin('d', 1, schedule => 'mine');
\echo :SQLSTATE
ALTER TABLE dag DISABLE TRIGGER airflow_pin_hold;
SELECT airflow_pin.pin('d', 1);
\echo :SQLSTATE
SELECT dag_id, schedule, drift FROM airflow_pin.pins();
SELECT item, state FROM airflow_pin.status() WHERE item IN ('in_force', 'trigger hold_schedule on dag');
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, schedule => 'latest');
SELECT version_number FROM airflow_pin.unpin('d');
-- Without the trigger, what nobody chooses is the latest version's; rollback() does not fail for that either.
SELECT version_number, schedule FROM airflow_pin.pin('d', 1);
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
SELECT version_number, schedule FROM airflow_pin.rollback('d');
DROP TRIGGER airflow_pin_hold ON dag;
SELECT airflow_pin.pin('d', 1, schedule => 'pinned');
SELECT airflow_pin.attach();
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, schedule => 'pinned');
ALTER TABLE airflow_pin.pinned_version DISABLE TRIGGER settle_schedule;
SELECT airflow_pin.pin('d', 3);
SELECT airflow_pin.attach();
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
-- rollback() brings back what was; with what was done at 1.0, in which pins had no such thing, the latest version's.
SELECT version_number, schedule FROM airflow_pin.pin('d', 1, schedule => 'latest');
SELECT version_number, schedule FROM airflow_pin.rollback('d');
SELECT version_number, schedule FROM airflow_pin.rollback('d');
ALTER TABLE airflow_pin.pin_history DISABLE TRIGGER refuse_change;
UPDATE airflow_pin.pin_history SET pin = pin - 'schedule' - 'schedule_chosen';
ALTER TABLE airflow_pin.pin_history ENABLE TRIGGER refuse_change;
SELECT version_number, schedule FROM airflow_pin.pin('d', 3);
SELECT version_number, schedule FROM airflow_pin.rollback('d');
-- What cannot be held is not, and says so.
SELECT version_number FROM airflow_pin.unpin('d');
INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, bundle_name, bundle_version, on_mismatch, schedule)
    VALUES ('d', now(), 2, lab.uuid('d2'), 'git', 'c2', 'rewrite', 'pinned');
CALL lab.parse('d', 'None', '2027-01-01');
SELECT next_dagrun FROM dag;
SELECT failure FROM airflow_pin.held_schedule;
SELECT dag_id, schedule, drift FROM airflow_pin.pins();
UPDATE airflow_pin.pinned_version SET dag_version_id = lab.uuid('gone');
CALL lab.parse('d', 'None', '2027-01-02');
UPDATE airflow_pin.pinned_version SET dag_version_id = lab.uuid('d1'), dag_hash = 'other';
CALL lab.parse('d', 'None', '2027-01-03');
SELECT next_dagrun, failure FROM dag, airflow_pin.held_schedule;
UPDATE airflow_pin.pinned_version SET dag_hash = NULL;
SELECT next_dagrun, failure FROM dag, airflow_pin.held_schedule;
-- The kill switch.
SET airflow_pin.enabled = off;
CALL lab.parse('d', 'None', '2027-01-03');
SELECT next_dagrun FROM dag;
SELECT drift FROM airflow_pin.pins();
RESET airflow_pin.enabled;
-- Triggers that are no such.
CREATE TRIGGER wrong AFTER UPDATE ON dag FOR EACH ROW EXECUTE FUNCTION airflow_pin.hold_schedule();
UPDATE dag SET is_paused = true;
DROP TRIGGER wrong ON dag;
CREATE TRIGGER wrong BEFORE UPDATE ON dag FOR EACH ROW EXECUTE FUNCTION airflow_pin.settle_schedule();
UPDATE dag SET is_paused = true;
DROP TRIGGER wrong ON dag;
SELECT airflow_pin.settle_schedule();
-- An Airflow whose tables lack what this needs, or have it otherwise, is left alone.
DROP VIEW lab.row, lab.timetable;
ALTER TABLE dag DROP next_dagrun_partition_key, DROP next_dagrun_partition_date, DROP partition_mapper_info, ALTER allowed_run_types TYPE jsonb,
    ALTER max_active_tasks TYPE bigint;
UPDATE dag SET last_parsed_time = now(), next_dagrun = NULL, max_active_tasks = 5;
SELECT next_dagrun IS NOT NULL AS held, allowed_run_types, max_active_tasks FROM dag;
ALTER TABLE dag RENAME dag_id TO id;
UPDATE dag SET next_dagrun = NULL;
SELECT next_dagrun FROM dag;
