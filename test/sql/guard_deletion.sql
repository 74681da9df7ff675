-- A pinned version is not deleted, but with its DAG; "airflow db clean" deletes the others and comes to an end.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- Which rows of its three tables a DAG's versions have.
CREATE VIEW lab.left_of AS
    SELECT v.dag_id, v.version_number AS version, s.id IS NOT NULL AS content, c.id IS NOT NULL AS code
    FROM dag_version v LEFT JOIN serialized_dag s ON s.dag_version_id = v.id
         LEFT JOIN dag_code c ON c.dag_version_id = v.id ORDER BY dag_id, version;
-- db_cleanup._do_delete: copies and commits, then deletes what is in the copy.
CREATE PROCEDURE lab.copy(of_table text, of_dag text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I AS SELECT base.* FROM %I base WHERE dag_id = %L',
                   '_airflow_deleted__' || of_table || '__20261121120000', of_table, of_dag);
END $$;
CREATE PROCEDURE lab.drop_copy(of_table text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE %I', '_airflow_deleted__' || of_table || '__20261121120000');
END $$;

-- Of a statement that deletes several versions the pinned one stays, with its rows.
CALL lab.two_versions('d');
SELECT version_number FROM airflow_pin.pin('d', 1);
DELETE FROM dag_version WHERE dag_id = 'd';
SELECT * FROM lab.left_of;
-- Its content and its code are not deleted alone, either.
DELETE FROM serialized_dag WHERE dag_id = 'd';
DELETE FROM dag_code WHERE dag_id = 'd';
SELECT * FROM lab.left_of;
-- The pin moved on: rollback() goes back to it, so that it stays. Moved on again, it may go, and with the pin off the others, too.
CALL lab.version('d', 'c', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('d', 2);
DELETE FROM dag_version WHERE dag_id = 'd' AND version_number = 1;
CALL lab.version('d', 'd', ARRAY[lab.task('t'), lab.task('u')]);
SELECT version_number FROM airflow_pin.pin('d', 3);
DELETE FROM dag_version WHERE dag_id = 'd';
SELECT * FROM lab.left_of;
-- Without an earlier pin rollback() goes to the version before; what is neither goes.
CALL lab.two_versions('b');
CALL lab.version('b', 'c', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('b', 3);
DELETE FROM dag_version WHERE dag_id = 'b';
SELECT * FROM lab.left_of WHERE dag_id = 'b';
SELECT version_number FROM airflow_pin.rollback('b');
SELECT version_number FROM airflow_pin.unpin('b');
DELETE FROM dag_version WHERE dag_id = 'b';
SELECT version_number FROM airflow_pin.unpin('d');
DELETE FROM dag_version WHERE dag_id = 'd';
SELECT * FROM lab.left_of;

-- A scheduled pin holds its version, one that observes or has expired does not.
CALL lab.two_versions('s');
SELECT version_number FROM airflow_pin.pin('s', 1, valid_from => now() + '1 day');
SELECT version_number FROM airflow_pin.pin('s', 2, on_mismatch => 'observe');
DELETE FROM dag_version WHERE dag_id = 's';
SELECT * FROM lab.left_of;
SELECT version_number FROM airflow_pin.unpin('s');
CALL lab.version('x', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('x', expires_at => now() + '1 day');
UPDATE airflow_pin.pinned_version SET valid_from = '-infinity', expires_at = '2000-01-01' WHERE dag_id = 'x';
DELETE FROM dag_version WHERE dag_id IN ('s', 'x');
SELECT * FROM lab.left_of;

-- "airflow dags delete" deletes from all tables with a dag_id, in any order.
CALL lab.two_versions('g');
CALL lab.two_versions('h');
SELECT (airflow_pin.pin(dag_id, 1)).version_number FROM dag WHERE dag_id IN ('g', 'h');
BEGIN;
DELETE FROM dag_code WHERE dag_id = 'g';
DELETE FROM serialized_dag WHERE dag_id = 'g';
DELETE FROM dag_version WHERE dag_id = 'g';
DELETE FROM dag WHERE dag_id = 'g';
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM dag WHERE dag_id = 'h';
DELETE FROM dag_version WHERE dag_id = 'h';
DELETE FROM serialized_dag WHERE dag_id = 'h';
COMMIT;
SELECT * FROM lab.left_of;
SELECT dag_id, drift FROM airflow_pin.pins() WHERE dag_id IN ('g', 'h');
SELECT count(airflow_pin.unpin(dag_id)) FROM airflow_pin.pinned_version;

-- "airflow db clean": first the versions that are not pinned; then, with only pinned ones left, an error that it takes
-- for "go on with the next table", of class 55; and none when nothing is pinned.
CALL lab.two_versions('c');
SELECT version_number FROM airflow_pin.pin('c', 1);
CALL lab.copy('dag_version', 'c');
DELETE FROM dag_version USING _airflow_deleted__dag_version__20261121120000 a WHERE dag_version.id = a.id;
SELECT * FROM lab.left_of;
CALL lab.drop_copy('dag_version');
CALL lab.copy('dag_version', 'c');
DELETE FROM dag_version USING _airflow_deleted__dag_version__20261121120000 a WHERE dag_version.id = a.id;
\echo :SQLSTATE
-- so it is wherever the copy is; a transaction that has not looked at a copy is none of its business
CREATE SCHEMA other;
ALTER TABLE _airflow_deleted__dag_version__20261121120000 SET SCHEMA other;
DELETE FROM dag_version USING other._airflow_deleted__dag_version__20261121120000 a WHERE dag_version.id = a.id;
ALTER TABLE other._airflow_deleted__dag_version__20261121120000 SET SCHEMA public;
DELETE FROM dag_version WHERE dag_id = 'c';
-- somebody else has deleted what is in the copy: nothing is left, so that the clean-up ends by itself
SELECT version_number FROM airflow_pin.unpin('c');
DELETE FROM dag_version WHERE dag_id = 'c';
DELETE FROM dag_version USING _airflow_deleted__dag_version__20261121120000 a WHERE dag_version.id = a.id;
CALL lab.drop_copy('dag_version');
-- A DAG that is parsed no more is not deleted from under its pin; other DAGs are.
CALL lab.two_versions('stale');
SELECT version_number FROM airflow_pin.pin('stale', 1);
CALL lab.copy('dag', 'stale');
DELETE FROM dag USING _airflow_deleted__dag__20261121120000 a WHERE dag.dag_id = a.dag_id;
\echo :SQLSTATE
SELECT version_number FROM airflow_pin.unpin('stale');
DELETE FROM dag USING _airflow_deleted__dag__20261121120000 a WHERE dag.dag_id = a.dag_id;
SELECT * FROM lab.left_of;
CALL lab.drop_copy('dag');

-- A migration deletes what it wants; so does everybody when pins are switched off.
CALL lab.two_versions('m');
SELECT version_number FROM airflow_pin.pin('m', 1);
SELECT pg_advisory_lock(1);
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('m1');
SELECT pg_advisory_unlock(1);
SELECT * FROM lab.left_of;
CALL lab.unguarded($$DELETE FROM dag_version WHERE id = lab.uuid('m1')$$);
SELECT * FROM lab.left_of;

-- A role that may delete versions and nothing else is held, too.
CREATE ROLE lab_deleter;
GRANT SELECT, DELETE ON dag_version TO lab_deleter;
CALL lab.version('r', 'a', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('r');
SET ROLE lab_deleter;
DELETE FROM dag_version WHERE dag_id IN ('m', 'r');
RESET ROLE;
SELECT * FROM lab.left_of;
DROP OWNED BY lab_deleter;
DROP ROLE lab_deleter;

-- As anything else than the triggers that attach() makes they say so.
SELECT airflow_pin.keep_version();
SELECT airflow_pin.end_clean();
CREATE TRIGGER wrong AFTER DELETE ON dag_version FOR EACH ROW EXECUTE FUNCTION airflow_pin.keep_version();
CALL lab.unguarded($$DELETE FROM dag_version WHERE dag_id = 'r'$$);
DROP TRIGGER wrong ON dag_version;
CREATE TRIGGER wrong BEFORE DELETE ON dag_version FOR EACH STATEMENT EXECUTE FUNCTION airflow_pin.end_clean();
CALL lab.unguarded($$DELETE FROM dag_version WHERE dag_id = 'r'$$);
DROP TRIGGER wrong ON dag_version;
CREATE TRIGGER wrong BEFORE DELETE ON dag_run FOR EACH ROW EXECUTE FUNCTION airflow_pin.keep_version();
CALL lab.run('r', 'run');
DELETE FROM dag_run WHERE run_id = 'run' RETURNING run_id;
-- What is called like a copy of "airflow db clean" but is no table is none.
DROP TRIGGER wrong ON dag_run;
CALL lab.two_versions('view');
SELECT version_number FROM airflow_pin.pin('view', 1);
CREATE VIEW _airflow_deleted__dag__20261121120000 AS SELECT * FROM dag WHERE false;
BEGIN;
DELETE FROM dag USING _airflow_deleted__dag__20261121120000 a WHERE dag.dag_id = a.dag_id;
DELETE FROM dag WHERE dag_id = 'view';
SELECT count(*) FROM dag_version WHERE dag_id = 'view';
ROLLBACK;
