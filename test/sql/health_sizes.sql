-- table_sizes(): which tables, and how large.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql

-- Airflow's tables, leftovers included, and no others.
SELECT relation, fab FROM airflow_pin.table_sizes();

-- The same bytes as the functions that wait for locks: with and without TOAST, empty, and after VACUUM,
-- which adds forks.
INSERT INTO ab_user SELECT i, 'user' || i, repeat(md5(i::text), 3000) FROM generate_series(1, 300) i;
ALTER TABLE ab_user ALTER notes SET STORAGE EXTERNAL;
INSERT INTO ab_user SELECT i, 'user' || i, repeat(md5(i::text), 300) FROM generate_series(301, 600) i;
INSERT INTO log (extra) SELECT 'x' FROM generate_series(1, 10000);
VACUUM ANALYZE log, ab_user;
CREATE FUNCTION pg_temp.differs() RETURNS TABLE (relation text, problem text) LANGUAGE sql AS $$
    SELECT s.relation, p.problem
    FROM airflow_pin.table_sizes() s, LATERAL (VALUES
        ('total', s.total_bytes, pg_total_relation_size(s.relation::regclass)),
        ('indexes', s.index_bytes, pg_indexes_size(s.relation::regclass)),
        ('heap and TOAST', s.heap_bytes + s.toast_bytes, pg_table_size(s.relation::regclass)),
        ('sum', s.total_bytes, s.heap_bytes + s.index_bytes + s.toast_bytes)
    ) AS p (problem, ours, theirs)
    WHERE ours IS DISTINCT FROM theirs $$;
SELECT * FROM pg_temp.differs();
SELECT relation, toast_bytes > 2500000 AS has_toast, estimated_rows, last_vacuum IS NOT NULL AS vacuumed
FROM airflow_pin.table_sizes() WHERE relation IN ('ab_user', 'log', 'ab_role');

-- In a transaction that rewrites or empties a table, the new file counts.
BEGIN;
ALTER TABLE log ALTER id TYPE bigint;
TRUNCATE ab_user CASCADE;
SELECT * FROM pg_temp.differs();
ROLLBACK;
SELECT * FROM pg_temp.differs();

-- Grown since the last ANALYZE; never analyzed; not known.
INSERT INTO log (extra) SELECT 'x' FROM generate_series(1, 10000);
SELECT estimated_rows BETWEEN 19000 AND 21000 AS scaled FROM airflow_pin.table_sizes() WHERE relation = 'log';

-- Space is needed for what a pending step writes anew, however large other tables are: serialized_dag is rewritten
-- on the way from 3.0.6, and a step updates all rows of dag.
CREATE FUNCTION pg_temp.space() RETURNS TABLE (object text, free boolean, message text) LANGUAGE sql AS $$
    SELECT object, value LIKE '% free', message FROM airflow_pin.preflight('3.3.2') WHERE check_name = 'disk_space' $$;
SELECT * FROM pg_temp.space();
UPDATE alembic_version SET version_num = 'fe199e1abd77';
INSERT INTO dag (dag_id, bundle_name) SELECT i, 'git' FROM generate_series(1, 1000) i;
SELECT * FROM pg_temp.space();
INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');
SELECT * FROM pg_temp.space();
DELETE FROM alembic_version WHERE version_num = 'fe199e1abd77';
DELETE FROM dag;

-- Partitions are tables of their own.
CREATE TABLE xcom (key text, value jsonb) PARTITION BY LIST (key);
CREATE TABLE first_part PARTITION OF xcom FOR VALUES IN ('a');
INSERT INTO xcom SELECT 'a' FROM generate_series(1, 1000);
SELECT relation, total_bytes > 0 AS has_bytes FROM airflow_pin.table_sizes() WHERE relation IN ('xcom', 'first_part');
SELECT * FROM pg_temp.differs();

-- A partition in another schema is called by its own name.
CREATE SCHEMA archive;
CREATE TABLE "_airflow_moved__runs" (id int) PARTITION BY LIST (id);
CREATE TABLE archive."Moved" PARTITION OF "_airflow_moved__runs" DEFAULT;
SELECT fix_sql FROM airflow_pin.preflight() WHERE check_name = 'leftovers' AND object = 'Moved';
DROP SCHEMA archive CASCADE;
DROP TABLE "_airflow_moved__runs";

-- Time of a rewrite: 100 GB in one to two hours, or at the rate that was measured.
SHOW airflow_pin.rewrite_mb_per_second;
CREATE FUNCTION pg_temp.mb_per_second() RETURNS TABLE (low numeric, high numeric) LANGUAGE sql AS $$
    SELECT round(total_bytes / 1048576.0 / extract(epoch FROM rewrite_high)),
           round(total_bytes / 1048576.0 / extract(epoch FROM rewrite_low))
    FROM airflow_pin.table_sizes() WHERE relation = 'ab_user' $$;
SELECT * FROM pg_temp.mb_per_second();
SET ROLE airflow_pin_monitor;
SET airflow_pin.rewrite_mb_per_second = 10;
RESET ROLE;
SELECT * FROM pg_temp.mb_per_second();
SET airflow_pin.rewrite_mb_per_second = 0;
RESET airflow_pin.rewrite_mb_per_second;

-- Monitoring may look, without a right on the tables; others may not.
SET ROLE airflow_pin_monitor;
SELECT count(*) FROM airflow_pin.table_sizes();
RESET ROLE;
CREATE ROLE airflow_pin_nobody;
GRANT USAGE ON SCHEMA airflow_pin TO airflow_pin_nobody;
SET ROLE airflow_pin_nobody;
SELECT count(*) FROM airflow_pin.table_sizes();
RESET ROLE;
REVOKE USAGE ON SCHEMA airflow_pin FROM airflow_pin_nobody;
DROP ROLE airflow_pin_nobody;

-- Look-alikes in the caller's search_path are not asked.
CREATE SCHEMA trap;
CREATE TABLE trap.pg_class (oid oid, relname name);
SET search_path = trap, pg_catalog;
SELECT count(*) FROM airflow_pin.table_sizes();
RESET search_path;
DROP SCHEMA trap CASCADE;

-- Another schema, several, and none.
ALTER SCHEMA public RENAME TO "Airflow's ""Own""";
SELECT count(*) FROM airflow_pin.table_sizes();
SELECT airflow_pin.detach();
CREATE SCHEMA public;
CREATE TABLE dag_run ();
CREATE TABLE alembic_version ();
SELECT count(*) FROM airflow_pin.table_sizes();
DROP TABLE dag_run;
ALTER TABLE "Airflow's ""Own""".dag_run RENAME TO run;
SET client_min_messages = notice;
SELECT count(*) FROM airflow_pin.table_sizes();
SELECT count(*) FROM airflow_pin.locks();
SET airflow_pin.airflow_schema = 'nowhere';
SELECT count(*) FROM airflow_pin.table_sizes();
RESET airflow_pin.airflow_schema;
SET client_min_messages = warning;
DROP SCHEMA "Airflow's ""Own""" CASCADE;
