-- A pinned version stays what it was: what Airflow writes over it becomes a version of its own.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CREATE VIEW lab.versions AS
    SELECT v.dag_id, v.version_number AS version, v.bundle_version AS commit, s.dag_hash,
           s.data #>> '{dag,tasks,0,__var,task_id}' AS task, c.source_code
    FROM dag_version v LEFT JOIN serialized_dag s ON s.dag_version_id = v.id
         LEFT JOIN dag_code c ON c.dag_version_id = v.id;
-- SerializedDagModel.write_dag for a latest version without task instances: the same rows, in the same order.
CREATE PROCEDURE lab.overwrite(of_dag text, version integer, task text, commit text) LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
BEGIN
    UPDATE serialized_dag SET data = jsonb_set(data, '{dag,tasks}', jsonb_build_array(lab.task(task))), dag_hash = task
        WHERE dag_version_id = lab.uuid(of_dag || version);
    GET DIAGNOSTICS counted = ROW_COUNT;
    IF counted <> 1 THEN
        RAISE 'Airflow stops where it counts no row';
    END IF;
    UPDATE dag_version SET bundle_version = commit, last_updated = now() WHERE id = lab.uuid(of_dag || version);
    UPDATE dag_code SET source_code = commit, source_code_hash = md5(commit), last_updated = now()
        WHERE dag_version_id = lab.uuid(of_dag || version);
    UPDATE dag SET bundle_version = commit WHERE dag_id = of_dag;
END $$;

-- Pinned before its first run, then overwritten by the next parse.
CALL lab.version('d', 'a', ARRAY[lab.task('old')]);
SELECT version_number FROM airflow_pin.pin('d');
CALL lab.overwrite('d', 1, 'new', 'b');
SELECT version, commit, dag_hash = 'new' AS new_hash, task, source_code FROM lab.versions ORDER BY version;
CALL lab.run('d', 'held');
SELECT version, commit FROM lab.runs;
SELECT task_id, version FROM lab.tasks;
SELECT kind, item FROM airflow_pin.diff('d', 1, 2);
SELECT drift FROM airflow_pin.pins();

-- The new version is Airflow's to overwrite, as long as it has no task instance and no pin.
UPDATE serialized_dag SET dag_hash = 'newer' WHERE dag_id = 'd' AND dag_hash = 'new';
SELECT version, dag_hash = 'newer' AS newer FROM lab.versions ORDER BY version;
SELECT version_number FROM airflow_pin.pin('d', 2);
UPDATE serialized_dag SET dag_hash = 'newest' WHERE dag_id = 'd' AND dag_hash = 'newer';
SELECT version, dag_hash = 'newest' AS newest FROM lab.versions ORDER BY version;

-- Only the bundle moved on (a commit that changes bodies or other DAGs): once a version, then in place.
CALL lab.version('m', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('m');
SELECT lab.change_bodies('m', 'b') \g /dev/null
SELECT lab.change_bodies('m', 'c') \g /dev/null
SELECT version, commit, task, source_code, count(*) OVER (PARTITION BY dag_hash) AS same FROM lab.versions WHERE dag_id = 'm' ORDER BY version;
CALL lab.run('m', 'held_commit');
SELECT version, commit FROM lab.runs WHERE dag_id = 'm';
SELECT version_number, bundle_version FROM airflow_pin.pin('m', 2);

-- Source that comes without a new commit of the version is half a parse; see command_which_commit. One of an unversioned
-- bundle is all that there is to see of a change.
CALL lab.version('src', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('src');
UPDATE dag SET bundle_version = 'b' WHERE dag_id = 'src';
UPDATE dag_code SET source_code = 'b', source_code_hash = md5('b') WHERE dag_id = 'src';
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'src' ORDER BY version;
CALL lab.two_versions('disk', 'local');
SELECT version_number FROM airflow_pin.pin('disk', on_mismatch => 'reject');
UPDATE dag_code SET source_code = 'b', source_code_hash = md5('x') WHERE dag_version_id = lab.uuid('disk2');
SELECT version, commit, source_code FROM lab.versions WHERE dag_id = 'disk' ORDER BY version;

-- A version that ran and is latest again gets a version of its own for each change, as Airflow would give it.
CALL lab.run('m', 'ran');
SELECT lab.change_bodies('m', 'd') \g /dev/null
SELECT version, commit FROM lab.versions WHERE dag_id = 'm' ORDER BY version;

-- A pinned version that is not the latest is none that Airflow writes over: it stays, and nothing else is touched.
CALL lab.version('n', 'a', ARRAY[lab.task('old')]);
SELECT version_number FROM airflow_pin.pin('n', run_types => '{scheduled}');
CALL lab.overwrite('n', 1, 'new', 'b');
CALL lab.run('n', 'ran', 'manual');
CALL lab.overwrite('n', 1, 'newer', 'c');
SELECT version, commit, task FROM lab.versions WHERE dag_id = 'n' ORDER BY version;
SELECT version, commit FROM lab.runs WHERE dag_id = 'n';
UPDATE dag_version SET bundle_name = 'renamed' WHERE id = lab.uuid('n1');
UPDATE dag_code SET source_code_hash = 'renamed' WHERE dag_version_id = lab.uuid('n1');
SELECT version_number, bundle_name FROM dag_version WHERE dag_id = 'n' ORDER BY 1;

-- Airflow goes on with the code that was updated last: that of the new version, also where the code is the same.
CALL lab.version('code', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('code');
UPDATE serialized_dag SET dag_hash = 'new' WHERE dag_id = 'code';
SELECT version_number FROM dag_code c JOIN dag_version v ON v.id = dag_version_id WHERE c.dag_id = 'code' ORDER BY c.last_updated DESC;

-- The new version is the latest by time, too, which Airflow before 3.3 goes by: clocks of DAG processors differ.
CALL lab.version('clock', 'a', ARRAY[lab.task('old')]);
UPDATE dag_version SET created_at = now() + '1 hour' WHERE dag_id = 'clock';
SELECT version_number FROM airflow_pin.pin('clock');
CALL lab.overwrite('clock', 1, 'new', 'b');
SELECT version_number FROM dag_version WHERE dag_id = 'clock' ORDER BY created_at;

-- What changes nothing but times stays, and so do versions that nothing pins, expired pins and pins that only observe.
UPDATE dag_version SET last_updated = '2000-01-01' WHERE id = lab.uuid('m1');
SELECT last_updated = '2000-01-01' AS touched FROM dag_version WHERE id = lab.uuid('m1');
CALL lab.version('o', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('o', on_mismatch => 'observe');
CALL lab.overwrite('o', 1, 'new', 'b');
SELECT version, commit, task FROM lab.versions WHERE dag_id = 'o';
CALL lab.version('x', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('x', expires_at => now() + '1 day');
UPDATE airflow_pin.pinned_version SET valid_from = '-infinity', expires_at = '2000-01-01' WHERE dag_id = 'x';
CALL lab.overwrite('x', 1, 'new', 'b');
SELECT version, task FROM lab.versions WHERE dag_id = 'x';
-- So does a pin the version that rollback() goes to: here the latest, which has not run yet.
CALL lab.two_versions('back');
SELECT version_number FROM airflow_pin.pin('back', 2);
SELECT version_number FROM airflow_pin.pin('back', 1);
CALL lab.overwrite('back', 2, 'new', 'c');
SELECT version, task FROM lab.versions WHERE dag_id = 'back';
SELECT version_number, bundle_version FROM airflow_pin.rollback('back');
CALL lab.run('back', 'back');
SELECT state, version, commit FROM lab.runs WHERE run_id = 'back';

-- A scheduled pin holds its version, too.
CALL lab.version('s', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('s', valid_from => now() + '1 day');
CALL lab.overwrite('s', 1, 'new', 'b');
SELECT version, task FROM lab.versions WHERE dag_id = 's' ORDER BY version;

-- A migration's statements are let through; so is everything when pins are switched off.
CALL lab.version('g', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('g');
SELECT pg_advisory_lock(1);
UPDATE dag_version SET bundle_version = 'migrated' WHERE id = lab.uuid('g1');
SELECT pg_advisory_unlock(1);
SELECT version, commit FROM lab.versions WHERE dag_id = 'g';
SET airflow_pin.enabled = off;
UPDATE dag_version SET bundle_version = 'off' WHERE id = lab.uuid('g1');
RESET airflow_pin.enabled;
SELECT version, commit FROM lab.versions WHERE dag_id = 'g';

-- When the change cannot be diverted parsing goes on, and runs of what is not the pinned content are refused.
CALL lab.version('f', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('f');
ALTER TABLE dag_version ADD CONSTRAINT no_more CHECK (dag_id <> 'f' OR version_number = 1) NOT VALID;
CALL lab.overwrite('f', 1, 'new', 'a');
ALTER TABLE dag_version DROP CONSTRAINT no_more;
SELECT version, task FROM lab.versions WHERE dag_id = 'f';
SELECT action, reason FROM airflow_pin.resolve('f');
SELECT airflow_pin.protect_version();
CREATE TRIGGER wrong BEFORE INSERT ON dag_code FOR EACH ROW EXECUTE FUNCTION airflow_pin.protect_version();
INSERT INTO dag_code SELECT * FROM dag_code LIMIT 1;
DROP TRIGGER wrong ON dag_code;

-- Columns of the future, more than a statement of ours takes: written where they change, or let through.
CALL lab.version('w', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('w');
DO $$ BEGIN
    FOR i IN 1 .. 60 LOOP
        EXECUTE format('ALTER TABLE serialized_dag ADD COLUMN of_the_future_%s integer', i);
    END LOOP;
END $$;
UPDATE serialized_dag SET dag_hash = 'new', of_the_future_7 = 7 WHERE dag_id = 'w';
SELECT version_number, dag_hash = 'new' AS new, of_the_future_7 FROM serialized_dag s JOIN dag_version v ON v.id = dag_version_id
    WHERE s.dag_id = 'w' ORDER BY 1;
CALL lab.version('many', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('many');
DO $$ BEGIN
    EXECUTE 'UPDATE serialized_dag SET dag_hash = ''new'', '
        || (SELECT string_agg(format('of_the_future_%s = 1', i), ', ') FROM generate_series(1, 60) i)
        || ' WHERE dag_id = ''many''';
END $$;
SELECT version_number, dag_hash = 'new' AS new FROM serialized_dag s JOIN dag_version v ON v.id = dag_version_id
    WHERE s.dag_id = 'many';
SELECT action FROM airflow_pin.resolve('many');
