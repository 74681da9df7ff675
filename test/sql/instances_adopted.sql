-- Task instances of a rewritten run become its version's when they are inserted, so that they are written once.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
CALL lab.two_versions('free');
SELECT version_number FROM airflow_pin.pin('d', 1);
CREATE VIEW lab.written AS
    SELECT pg_stat_get_xact_tuples_inserted(t) AS inserted, pg_stat_get_xact_tuples_updated(t) AS updated,
           pg_stat_get_xact_tuples_deleted(t) AS deleted
    FROM CAST('task_instance'::regclass AS oid) t;

-- Before the commit they have the version, and the one of a task that it does not have is one that it has; at commit
-- nothing is written.
BEGIN;
CALL lab.run('d', 'once');
CALL lab.run('free', 'free_1');
SELECT run_id, task_id, version FROM lab.tasks ORDER BY run_id, task_id;
SELECT * FROM lab.written;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT run_id, task_id, version FROM lab.tasks ORDER BY run_id, task_id;
SELECT * FROM lab.written;
COMMIT;

-- Columns that follow from the DAG, tasks that are expanded, and rows that are left out because there are too many.
CALL lab.version('shape', 'a', ARRAY[lab.task('extract', '{"pool": "one", "queue": "long", "retries": 3}'),
                                     lab.mapped('list', lab.over('{"x": [1, 2]}'))]);
CALL lab.version('shape', 'b', ARRAY[lab.task('a'), lab.task('b'), lab.task('c'), lab.task('d'),
                                     lab.task('extract', '{"pool": "two", "queue": "long"}')]);
SELECT version_number FROM airflow_pin.pin('shape', 1);
BEGIN;
CALL lab.run('shape', 'shape_1');
SELECT task_id, map, version, pool, queue, max_tries FROM lab.tasks WHERE run_id = 'shape_1' ORDER BY task_id, map;
SELECT * FROM lab.written;
COMMIT;
SELECT task_id, map, version, pool, queue, max_tries FROM lab.tasks WHERE run_id = 'shape_1' ORDER BY task_id, map;

-- The first row stays until commit, as a pattern for those that are missing then.
CALL lab.version('few', 'a', ARRAY[lab.task('load')]);
CALL lab.version('few', 'b', ARRAY[lab.task('extract'), lab.task('load'), lab.task('report')]);
SELECT version_number FROM airflow_pin.pin('few', 1);
BEGIN;
CALL lab.run('few', 'few_1');
SELECT task_id, version FROM lab.tasks WHERE run_id = 'few_1' ORDER BY task_id;
COMMIT;
SELECT task_id, version FROM lab.tasks WHERE run_id = 'few_1' ORDER BY task_id;

-- What Airflow holds in memory is not what the version says: the row that another one was made is left out.
BEGIN;
CALL lab.run('d', 'twice');
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'load', 'd', 'twice', 0, 'default_pool', 1, lab.uuid('d2')) RETURNING task_id;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'unheard_of', 'd', 'twice', 0, 'default_pool', 1, lab.uuid('d2')) RETURNING task_id;
COMMIT;
SELECT run_id, task_id, version FROM lab.tasks WHERE run_id = 'twice' ORDER BY task_id;

-- Rows without a task are the table's to refuse.
\set VERBOSITY terse
BEGIN;
CALL lab.run('d', 'no_task');
INSERT INTO task_instance (id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'd', 'no_task', 0, 'default_pool', 1, lab.uuid('d2'));
ROLLBACK;
\set VERBOSITY default

-- A value that is too long for its column is the database's to refuse, at commit; then all is as Airflow asked for it.
CALL lab.version('long', 'a', ARRAY[lab.task('extract', jsonb_build_object('queue', repeat('q', 257))), lab.task('load')]);
CALL lab.version('long', 'b', ARRAY[lab.task('extract', '{"queue": "short"}'), lab.task('report'), lab.task('check')]);
SELECT version_number FROM airflow_pin.pin('long', 1);
BEGIN;
CALL lab.run('long', 'long_1');
SELECT task_id, version, queue FROM lab.tasks WHERE run_id = 'long_1' ORDER BY task_id;
COMMIT;
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'long_1';
SELECT task_id, version, queue FROM lab.tasks WHERE run_id = 'long_1' ORDER BY task_id;
SELECT action, detail FROM lab.decisions WHERE run_id = 'long_1';

-- A row that could not be brought back, because its weight is a plugin's, stays until commit.
CALL lab.version('plugin', 'a', ARRAY[lab.task('extract'), lab.task('load')]);
CALL lab.version('plugin', 'b', ARRAY[lab.task('extract'), lab.task('heavy', '{"weight_rule": "my_plugin.Strategy"}')]);
SELECT version_number FROM airflow_pin.pin('plugin', 1);
BEGIN;
CALL lab.run('plugin', 'plugin_1');
SELECT task_id, version FROM lab.tasks WHERE run_id = 'plugin_1' ORDER BY task_id;
COMMIT;
SELECT task_id, version FROM lab.tasks WHERE run_id = 'plugin_1' ORDER BY task_id;

-- Rows that a savepoint takes back, of a run that it does not, are made anew at commit.
BEGIN;
INSERT INTO dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'retried', 'scheduled', 'queued', 'b', lab.uuid('d2'));
SAVEPOINT a;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT gen_random_uuid(), unnest('{report, extract}'::text[]), 'd', 'retried', 0, 'default_pool', 1, lab.uuid('d2');
ROLLBACK TO a;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    SELECT gen_random_uuid(), unnest('{report, extract}'::text[]), 'd', 'retried', 0, 'default_pool', 1, lab.uuid('d2')
    RETURNING task_id;
COMMIT;
SELECT task_id, version FROM lab.tasks WHERE run_id = 'retried' ORDER BY task_id;

-- A run that a savepoint takes back is forgotten, also where an inner savepoint was released before.
BEGIN;
SAVEPOINT a;
CALL lab.run('d', 'back_1');
ROLLBACK TO a;
SAVEPOINT a;
SAVEPOINT b;
CALL lab.run('d', 'back_2');
RELEASE b;
ROLLBACK TO a;
SET LOCAL airflow_pin.enabled = off;
CALL lab.run('d', 'back_1');
CALL lab.run('d', 'back_2');
COMMIT;
SELECT run_id, task_id, version FROM lab.tasks WHERE run_id LIKE 'back%' ORDER BY run_id, task_id;

-- One in a released savepoint is not.
BEGIN;
SAVEPOINT a;
SELECT lab.create_run('d', 'released') \g /dev/null
RELEASE a;
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'late', 'd', 'released', 0, 'default_pool', 1, lab.uuid('d2'));
SELECT task_id, version FROM lab.tasks WHERE run_id = 'released' ORDER BY task_id;
COMMIT;

-- Another transaction, and rows of another run, DAG or version, are left alone.
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'later', 'd', 'once', 0, 'default_pool', 1, lab.uuid('d2'));
SELECT version FROM lab.tasks WHERE task_id = 'later';
CALL lab.version('d', 'c', ARRAY[lab.task('extract')]);
BEGIN;
CALL lab.run('d', 'third');
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (gen_random_uuid(), 'same_name', 'free', 'free_1', 0, 'default_pool', 1, lab.uuid('d3')),
           (gen_random_uuid(), 'other_run', 'd', 'once', 0, 'default_pool', 1, lab.uuid('d3')),
           (gen_random_uuid(), 'other_version', 'd', 'third', 0, 'default_pool', 1, lab.uuid('d2')),
           (gen_random_uuid(), 'no_version', 'd', 'third', 0, 'default_pool', 1, NULL);
SELECT task_id, version FROM lab.tasks WHERE task_id IN ('same_name', 'other_run', 'other_version', 'no_version') ORDER BY 1;
-- So are those of another table.
CREATE TABLE lab.task_instance (LIKE task_instance);
CREATE TRIGGER elsewhere BEFORE INSERT ON lab.task_instance FOR EACH ROW EXECUTE FUNCTION airflow_pin.adopt_version();
INSERT INTO lab.task_instance SELECT (jsonb_populate_record(t, jsonb_build_object('dag_version_id', lab.uuid('d3')))).*
    FROM task_instance t WHERE run_id = 'third' AND task_id = 'extract';
SELECT task_id, version_number FROM lab.task_instance t JOIN dag_version v ON v.id = dag_version_id;
ROLLBACK;

-- A run that is another's again when the transaction commits gets back what Airflow asked for.
BEGIN;
CALL lab.run('d', 'changed');
UPDATE dag_run SET created_dag_version_id = lab.uuid('d3') WHERE run_id = 'changed';
COMMIT;
SELECT run_id, task_id, version FROM lab.tasks WHERE run_id = 'changed';
SELECT action, detail FROM lab.decisions WHERE run_id = 'changed';

-- So does one whose task instances cannot be told.
CALL lab.unguarded($$UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = lab.uuid('d1')$$);
CALL lab.run('d', 'broken');
SELECT run_id, state, version FROM lab.runs WHERE run_id = 'broken';
SELECT run_id, task_id, version FROM lab.tasks WHERE run_id = 'broken';

-- The function is that trigger's only.
CREATE TRIGGER wrong AFTER INSERT ON task_instance FOR EACH ROW EXECUTE FUNCTION airflow_pin.adopt_version();
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots)
    VALUES (gen_random_uuid(), 'wrong', 'd', 'once', 0, 'default_pool', 1);
DROP TRIGGER wrong ON task_instance;
-- Runs of two DAGs that have the same run_id, in one transaction: each has its own, also where one of them fails.
CALL lab.two_versions('twin1');
CALL lab.two_versions('twin2');
SELECT version_number FROM airflow_pin.pin('twin1', 1);
SELECT version_number FROM airflow_pin.pin('twin2', 1);
BEGIN;
CALL lab.run('twin1', 'twin');
CALL lab.run('twin2', 'twin');
COMMIT;
CALL lab.unguarded($$UPDATE serialized_dag SET data = data #- '{dag,tasks}' WHERE dag_version_id = lab.uuid('twin1' || 1)$$);
BEGIN;
CALL lab.run('twin1', 'broken');
CALL lab.run('twin2', 'broken');
COMMIT;
SELECT r.dag_id, r.run_id, r.state, r.version, string_agg(t.task_id || ':' || v.version_number, ' ' ORDER BY t.task_id) AS tasks
    FROM lab.runs r JOIN task_instance t USING (dag_id, run_id) JOIN dag_version v ON v.id = t.dag_version_id
    WHERE r.dag_id LIKE 'twin%' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;
-- A row that says of no run is Airflow's own error.
BEGIN;
CALL lab.run('twin2', 'next');
INSERT INTO task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, dag_version_id)
    VALUES (lab.uuid('row'), 't', 'twin2', NULL, 0, 'default_pool', 1, lab.uuid('twin22'));
ROLLBACK;
-- Where a column is of another type than Airflow's, all or all but the version is left for the commit.
BEGIN;
SET LOCAL client_min_messages = warning;
DROP VIEW lab.tasks CASCADE;
ALTER TABLE task_instance ALTER dag_id TYPE name;
CALL lab.run('twin2', 'type 1');
ALTER TABLE task_instance ALTER dag_id TYPE varchar(250), ALTER run_id TYPE name;
CALL lab.run('twin2', 'type 2');
ALTER TABLE task_instance ALTER run_id TYPE varchar(250), ALTER queue TYPE name;
CALL lab.run('twin2', 'type 3');
ALTER TABLE task_instance ALTER queue TYPE text;
CALL lab.run('twin2', 'type 4');
CREATE VIEW lab.now AS SELECT run_id, string_agg(task_id || ':' || version_number, ' ' ORDER BY task_id) AS tasks
    FROM task_instance t JOIN dag_version v ON v.id = t.dag_version_id WHERE run_id LIKE 'type%' GROUP BY run_id ORDER BY 1;
SELECT * FROM lab.now;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT * FROM lab.now;
ROLLBACK;
