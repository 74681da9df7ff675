-- status() of what the version guard keeps: switched off by the kill switch, which pins' versions have changed meanwhile, and
-- who holds the lock of migrations.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CREATE VIEW lab.guard AS SELECT item, state, regexp_replace(regexp_replace(regexp_replace(detail, '\d\d\d\d-\d\d-\d\d [^,:]*:[^:]*:[^:]*:', 'TIME:'), '\d{2,}', 'PID', 'g'), 'role "[^"]*"', 'role NAME') AS detail
    FROM airflow_pin.status() WHERE item IN ('version_guard', 'changed_pins');
SELECT * FROM lab.guard;
CALL lab.two_versions('d');
CALL lab.two_versions('e');
CALL lab.two_versions('gate');
CALL lab.two_versions('observed');
CALL lab.two_versions('kept');
SELECT (airflow_pin.pin('d', 2)).version_number AS d, (airflow_pin.pin('e', 1)).version_number AS e,
       (airflow_pin.pin('gate', 2, 'reject')).version_number AS gate, (airflow_pin.pin('observed', 2, 'observe')).version_number AS observed,
       (airflow_pin.pin('kept', 2)).version_number AS kept;
SELECT * FROM lab.guard;

-- The kill switch stops all that could be in Airflow's way, the guard too: a parse writes over the version, db clean deletes.
SET airflow_pin.enabled = off;
SELECT * FROM lab.guard;
UPDATE serialized_dag SET dag_hash = 'parsed', last_updated = clock_timestamp() WHERE dag_version_id IN (lab.uuid('d2'), lab.uuid('gate2'), lab.uuid('observed2'));
DELETE FROM dag_version WHERE id = lab.uuid('e1');
RESET airflow_pin.enabled;
-- On again: it is told which they are, and the runs fail rather than be of another content.
SELECT * FROM lab.guard;
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT dag_id, action FROM airflow_pin.pins() p, airflow_pin.resolve(p.dag_id);
CALL lab.run('d', 'r');
SELECT run_id, state FROM lab.runs;
-- What the guard keeps is kept again: the version that was not written over.
UPDATE serialized_dag SET dag_hash = 'parsed', last_updated = clock_timestamp() WHERE dag_version_id = lab.uuid('kept2');
SELECT dag_hash = 'parsed' AS changed FROM serialized_dag WHERE dag_version_id = lab.uuid('kept2');
-- Pinned again, the content is what it is now.
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT version_number FROM airflow_pin.pin('e', 2);
SELECT version_number FROM airflow_pin.pin('gate', 2);
SELECT * FROM lab.guard;
-- More than five.
SET client_min_messages = error;
DO $$
BEGIN
    FOR i IN 1..6 LOOP
        PERFORM lab.add_version('many' || i, 'a', ARRAY[lab.task('t')]);
        PERFORM airflow_pin.pin('many' || i);
        CALL lab.unguarded(format('UPDATE serialized_dag SET dag_hash = ''x'' WHERE dag_id = %L', 'many' || i));
    END LOOP;
END $$;
RESET client_min_messages;
SELECT * FROM lab.guard WHERE item = 'changed_pins';

-- Who holds the lock of migrations, and what ends that.
SELECT pg_advisory_lock(1) \g /dev/null
SELECT * FROM lab.guard WHERE item = 'version_guard';
SELECT pg_advisory_unlock(1) \g /dev/null
-- Tables that are not Airflow's of today.
BEGIN;
ALTER TABLE serialized_dag RENAME TO elsewhere;
SELECT * FROM lab.guard WHERE item = 'changed_pins';
ROLLBACK;
