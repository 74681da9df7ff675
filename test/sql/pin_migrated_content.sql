-- What migration 0101 (3.1 to 3.2) did to the deadline alerts of a pinned version is no change of it, also where nobody saw
-- it: after a restore, or while pins were switched off. Whatever else has changed it is.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET client_min_messages = error;
CREATE PROCEDURE lab.revision(text) LANGUAGE sql AS 'UPDATE alembic_version SET version_num = $1';
CREATE FUNCTION lab.alerts() RETURNS jsonb LANGUAGE sql AS
    $$SELECT '{"deadline": [{"__type": "deadline_alert", "__var": {"reference": {}, "interval": 60, "callback": {}}}]}'::jsonb$$;
-- What the migration does, as it is seen afterwards: "set" is what an UPDATE would set besides.
CREATE PROCEDURE lab.migrate(dag text, deadline jsonb, set text DEFAULT 'id = id') LANGUAGE plpgsql AS $$
BEGIN
    CALL lab.unguarded(format('UPDATE serialized_dag SET data = jsonb_set(data, ''{dag,deadline}'', %L), dag_hash = ''migrated'', %s
                               WHERE dag_version_id = %L', deadline, set, lab.uuid(dag || 1)));
END $$;
CREATE PROCEDURE lab.old(dag text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lab.add_version(dag, 'a', ARRAY[lab.task('t')], lab.alerts());
    PERFORM lab.add_version(dag, 'b', ARRAY[lab.task('u')], lab.alerts());
    PERFORM airflow_pin.pin(dag, 1);
END $$;
CREATE VIEW lab.answers AS SELECT p.dag_id, 'changed_in_place' = ANY (p.drift) AS changed, r.action
    FROM airflow_pin.pins() p, airflow_pin.resolve(p.dag_id) r ORDER BY p.dag_id COLLATE "C";
CALL lab.revision('509b94a1042d');
CALL lab.old('migrated');
CALL lab.old('compressed');
CALL lab.old('parsed');
CALL lab.old('edited');
CALL lab.old('emptied');
CALL lab.old('of_1_0');
CALL lab.old('scheduled');
UPDATE airflow_pin.pinned_version SET airflow_revision = NULL, content_updated_at = NULL WHERE dag_id = 'of_1_0';
\set ECHO all
SELECT airflow_revision, content_updated_at = s.last_updated AS same FROM airflow_pin.pinned_version p JOIN serialized_dag s USING (dag_version_id)
    WHERE p.dag_id = 'migrated';
SELECT pin -> 'airflow_revision' AS revision FROM airflow_pin.pin_history WHERE dag_id = 'migrated';

CALL lab.migrate('migrated', '["00000000-0000-0000-0000-000000000001"]');
CALL lab.migrate('compressed', '["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"]');
CALL lab.migrate('parsed', '["00000000-0000-0000-0000-000000000001"]', 'last_updated = clock_timestamp()');
CALL lab.migrate('edited', '[{"__type": "deadline_alert"}]');
CALL lab.migrate('emptied', 'null');
CALL lab.migrate('of_1_0', '["00000000-0000-0000-0000-000000000001"]');
-- Before Airflow is at that revision it was not the migration, whatever it looks like.
SELECT * FROM lab.answers;
CALL lab.revision('e79fc784f145');
SELECT * FROM lab.answers WHERE changed IS FALSE;
CALL lab.revision('55297ae24532');
SELECT * FROM lab.answers WHERE changed IS FALSE;
CALL lab.revision('d2f4e1b3c5a7');
SELECT * FROM lab.answers;
CALL lab.revision('c0ffee000000');
SELECT * FROM lab.answers WHERE changed IS FALSE;
CALL lab.revision('d2f4e1b3c5a7');
CALL lab.run('migrated', 'r1');
CALL lab.run('edited', 'r2');
SELECT run_id, state, version, commit FROM lab.runs ORDER BY 1;

-- rollback() to such a pin: it is one of the content that is there now.
SELECT version_number FROM airflow_pin.pin('migrated', 2);
SELECT version_number, dag_hash, airflow_revision FROM airflow_pin.rollback('migrated');
SELECT version_number FROM airflow_pin.pin('edited', 2);
SELECT airflow_pin.rollback('edited');

-- Pinned after it, and the way back.
CALL lab.version('later', 'a', ARRAY[lab.task('t')], '{"deadline": ["00000000-0000-0000-0000-000000000001"]}');
SELECT version_number FROM airflow_pin.pin('later');
CALL lab.migrate('later', '["00000000-0000-0000-0000-000000000001"]');
SELECT * FROM lab.answers WHERE dag_id = 'later';
CALL lab.revision('509b94a1042d');
SELECT * FROM lab.answers WHERE dag_id = 'later';
CALL lab.migrate('later', '[{"__type": "deadline_alert"}]');
SELECT * FROM lab.answers WHERE dag_id = 'later';

-- A migration that nobody saw, and then one that the trigger sees, on the way back.
CALL lab.revision('509b94a1042d');
CALL lab.old('twice');
CALL lab.migrate('twice', '["00000000-0000-0000-0000-000000000001"]');
CALL lab.revision('55297ae24532');
BEGIN;
ALTER TABLE serialized_dag ADD migrated int;
UPDATE serialized_dag SET data = jsonb_set(data, '{dag,deadline}', '[{"__type": "deadline_alert"}]'), dag_hash = 'back'
    WHERE dag_version_id = lab.uuid('twice1');
UPDATE alembic_version SET version_num = 'e79fc784f145';
COMMIT;
SELECT dag_hash FROM airflow_pin.pinned_version WHERE dag_id = 'twice';
SELECT * FROM lab.answers WHERE dag_id = 'twice';
-- The real way back leaves the hash as it is.
CALL lab.revision('509b94a1042d');
CALL lab.old('back');
CALL lab.migrate('back', '["00000000-0000-0000-0000-000000000001"]');
CALL lab.revision('55297ae24532');
BEGIN;
LOCK TABLE serialized_dag IN ACCESS EXCLUSIVE MODE;
UPDATE serialized_dag SET data = jsonb_set(data, '{dag,deadline}', '[{"__type": "deadline_alert"}]') WHERE dag_version_id = lab.uuid('back1');
UPDATE alembic_version SET version_num = 'e79fc784f145';
COMMIT;
SELECT dag_hash FROM airflow_pin.pinned_version WHERE dag_id = 'back';
SELECT * FROM lab.answers WHERE dag_id = 'back';
-- Somebody's own change of the content alone moves no pin.
SELECT version_number FROM airflow_pin.pin('back', 2);
UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks}', '[]') WHERE dag_version_id = lab.uuid('back2');
SELECT p.dag_hash = s.dag_hash AS same, airflow_revision FROM airflow_pin.pinned_version p JOIN serialized_dag s USING (dag_version_id) WHERE p.dag_id = 'back';
