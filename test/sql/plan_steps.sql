-- migration_plan(): from each known release to each later one, with sizes and times, and what it refuses.
\set ECHO none
\set SHOW_CONTEXT never
\pset pager off
SET client_min_messages = warning;
ALTER ROLE CURRENT_USER SET TimeZone = 'UTC';
DROP EXTENSION IF EXISTS airflow_pin CASCADE;
DROP SCHEMA IF EXISTS airflow_pin, lab, public CASCADE;
CREATE SCHEMA public;
CREATE EXTENSION airflow_pin;
RESET client_min_messages;
\set ECHO all
-- A database without Airflow.
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE

-- The plan needs no more of Airflow than the revision; sizes are from the catalog.
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
CREATE TABLE dag_run (id int, conf bytea);
CREATE TABLE task_instance (id int);
CREATE TABLE task_instance_history (id int);
CREATE TABLE task_reschedule (id int);
CREATE TABLE xcom (id int);
CREATE TABLE log (id int);
CREATE TABLE dataset (id int);
CREATE TABLE ab_user (id int);
CREATE TABLE ab_user_role (id int);
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
INSERT INTO alembic_version VALUES ('5f2621c13b39');

CREATE SCHEMA lab;
CREATE TABLE lab.release (name text, core text, fab text);
INSERT INTO lab.release VALUES ('2.10.5', '5f2621c13b39', NULL), ('2.11.2', '5f2621c13b39', NULL),
    ('3.0.6', 'fe199e1abd77', '6709f7a774b9'), ('3.1.8', '509b94a1042d', '6709f7a774b9'),
    ('3.2.2', '1d6611b6ab7c', '02ca36b0235b'), ('3.3.2', 'd2f4e1b3c5a7', '02ca36b0235b');

-- Make the database one of that release, as far as a plan looks.
CREATE PROCEDURE lab.become(core text, fab text) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL client_min_messages = warning;
    UPDATE public.alembic_version SET version_num = core;
    DROP TABLE IF EXISTS public.alembic_version_fab;
    IF fab IS NOT NULL THEN
        CREATE TABLE public.alembic_version_fab (version_num varchar(32));
        INSERT INTO public.alembic_version_fab VALUES (fab);
    END IF;
END $$;

CREATE TABLE lab.plan AS
    SELECT ''::text AS start, ''::text AS target, * FROM airflow_pin.migration_plan() LIMIT 0;
DO $$
DECLARE
    a lab.release;
    b lab.release;
BEGIN
    FOR a IN SELECT * FROM lab.release LOOP
        FOR b IN SELECT * FROM lab.release WHERE name >= a.name LOOP
            CALL lab.become(a.core, a.fab);
            INSERT INTO lab.plan SELECT a.name, b.name, * FROM airflow_pin.migration_plan(b.name);
        END LOOP;
    END LOOP;
END $$;

-- How much there is to do.
SELECT a.name AS start, b.name AS target, count(step) AS steps,
       count(DISTINCT revision) FILTER (WHERE component = 'core') AS core,
       count(DISTINCT revision) FILTER (WHERE component = 'fab') AS fab
FROM lab.release a JOIN lab.release b ON b.name >= a.name
LEFT JOIN lab.plan p ON p.start = a.name AND p.target = b.name
GROUP BY 1, 2 ORDER BY 1, 2;

-- Each plan ends at its target's revisions, has its steps in order, and core before FAB.
SELECT start, target, (array_agg(revision ORDER BY step DESC) FILTER (WHERE component = 'core'))[1] = r.core AS core,
       (array_agg(revision ORDER BY step DESC) FILTER (WHERE component = 'fab'))[1] AS fab,
       max(step) = count(*) AS numbered,
       string_agg(component, '' ORDER BY step) ~ '^(core)*(fab)*$' AS ordered
FROM lab.plan p JOIN lab.release r ON r.name = p.target GROUP BY start, target, r.core ORDER BY 1, 2;

-- A plan is the sum of its parts, where the releases' forms of a revision do not differ.
SELECT target, revision, operation FROM lab.plan WHERE start = '2.11.2' AND target = '3.3.2'
    AND airflow_version >= '3.1' AND component = 'core'
EXCEPT ALL
SELECT target, revision, operation FROM lab.plan WHERE start = '3.0.6' AND target = '3.3.2';

-- What is rewritten, and what is updated in full.
SELECT start, target, string_agg(DISTINCT relation, ' ' ORDER BY relation) FILTER (WHERE rewrites) AS rewritten
FROM lab.plan GROUP BY 1, 2 ORDER BY 1, 2;
SELECT revision, relation, operation, lock_mode, scans FROM lab.plan
WHERE start = '2.11.2' AND target = '3.3.2' AND updates_rows ORDER BY step;

-- 0051 rewrites task_instance, but not in a session whose TimeZone is UTC.
CALL lab.become('5f2621c13b39', NULL);
SELECT relation, operation, rewrites, scans FROM airflow_pin.migration_plan() WHERE revision = '038dc8bc6284';
ALTER ROLE CURRENT_USER SET TimeZone = 'Europe/Berlin';
SELECT relation, operation, rewrites, scans FROM airflow_pin.migration_plan() WHERE revision = '038dc8bc6284';
ALTER ROLE CURRENT_USER SET TimeZone = 'Etc/GMT+1';
SELECT relation, operation, rewrites, scans FROM airflow_pin.migration_plan() WHERE revision = '038dc8bc6284';
ALTER ROLE CURRENT_USER SET TimeZone = 'UTC';

-- All of ab_user_role's steps.
SELECT relation, operation, lock_mode, rewrites, scans FROM lab.plan
WHERE start = '3.1.8' AND target = '3.3.2' AND relation ~ '^ab_user' ORDER BY step;

-- The tables get pg_class entries and files of holes, so that the test needs no 2 GB of rows.
CREATE PROCEDURE lab.grow(relation regclass, row_count real, pages int) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pg_class SET reltuples = row_count, relpages = pages WHERE oid = relation;
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L',
                   format('cat > /dev/null; truncate -s %s %s', pages * 8192::bigint, pg_relation_filepath(relation)));
END $$;

-- Nothing to do in an empty table; never analyzed: no rows, no times.
SELECT relation, estimated_rows, bytes, eta_low > '20 s' AS low, eta_high BETWEEN eta_low AND '4 min' AS high
FROM airflow_pin.migration_plan('3.0.6') WHERE revision = 'd59cbbef95eb' AND operation LIKE 'UPDATE%';
CALL lab.grow('task_instance', -1, 1);
SELECT relation, estimated_rows, bytes, eta_low > '20 s' AS low, eta_high BETWEEN eta_low AND '4 min' AS high
FROM airflow_pin.migration_plan('3.0.6') WHERE revision = 'd59cbbef95eb' AND operation LIKE 'UPDATE%';

-- With the sizes of the benchmark, which took 139 s: a total of half to double of that, and the slowest
-- revisions in the right order.
SELECT format('CALL lab.grow(%L, %s, %s)', name, row_count, mb * 128)
FROM (VALUES ('dag_run', 300e3, 67), ('task_instance', 2100e3, 608), ('task_instance_history', 200e3, 49),
             ('xcom', 900e3, 156), ('log', 2000e3, 381), ('task_reschedule', 500e3, 60),
             ('ab_user', 1000e3, 120), ('ab_user_role', 5000e3, 211)) AS t (name, row_count, mb) \gexec
INSERT INTO dag_run (conf) SELECT CASE WHEN i > 3 THEN '\x80057d942e'::bytea END FROM generate_series(1, 1000) i;
SELECT relation, estimated_rows, bytes, eta_low > '20 s' AS low, eta_high BETWEEN eta_low AND '4 min' AS high
FROM airflow_pin.migration_plan('3.0.6') WHERE revision = 'd59cbbef95eb' AND operation LIKE 'UPDATE%';
-- Without statistics of conf, any number of runs may have one.
SELECT relation, eta_low < '1 s' AS low, eta_high < '1 s' AS high FROM airflow_pin.migration_plan() WHERE operation LIKE '%OFFSET%';
CREATE TEMP TABLE size AS SELECT reltuples, relpages FROM pg_class WHERE oid = 'dag_run'::regclass;
ANALYZE dag_run (conf);
UPDATE pg_class c SET reltuples = s.reltuples, relpages = s.relpages FROM size s WHERE oid = 'dag_run'::regclass;
SELECT relation, eta_low < '1 s' AS low, eta_high < '1 s' AS high FROM airflow_pin.migration_plan() WHERE operation LIKE '%OFFSET%';
SELECT sum(eta_low) BETWEEN '70 s' AND '139 s' AS low, sum(eta_high) BETWEEN '139 s' AND '278 s' AS high
FROM airflow_pin.migration_plan();
SELECT component, revision FROM airflow_pin.migration_plan()
GROUP BY 1, 2 ORDER BY sum(eta_high) DESC LIMIT 5;
-- A table larger than the cache may have to come from disk.
CREATE VIEW lab.xcom_step AS SELECT operation, eta_high > '10 s' AS slow
    FROM airflow_pin.migration_plan() WHERE relation = 'xcom' AND rewrites ORDER BY step LIMIT 1;
SELECT * FROM lab.xcom_step;
SET effective_cache_size = '100 MB';
SELECT * FROM lab.xcom_step;
RESET effective_cache_size;

-- A table's size is found under its present name, before and after it is renamed.
CALL lab.grow('dataset', 123, 2);
SELECT DISTINCT relation, estimated_rows, bytes FROM airflow_pin.migration_plan('3.0.6')
WHERE relation IN ('dataset', 'asset', 'asset_active') ORDER BY 1;

-- A partitioned table has the rows and bytes of its partitions; what is not known of one is not of all.
DROP TABLE xcom;
CREATE TABLE xcom (id int) PARTITION BY LIST (id);
CREATE TABLE xcom_1 PARTITION OF xcom FOR VALUES IN (1) PARTITION BY LIST (id);
CREATE TABLE xcom_2 PARTITION OF xcom_1 DEFAULT;
CREATE TABLE xcom_3 PARTITION OF xcom DEFAULT;
CALL lab.grow('xcom_2', 1000000, 10);
CALL lab.grow('xcom_3', 2000000, 20);
SELECT DISTINCT estimated_rows, bytes, eta_high > '5 s' AS takes_long FROM airflow_pin.migration_plan('3.0.6')
WHERE relation = 'xcom' AND operation LIKE 'ALTER COLUMN value TYPE%';
CALL lab.grow('xcom_3', -1, 20);
SELECT DISTINCT estimated_rows, bytes, eta_high FROM airflow_pin.migration_plan('3.0.6')
WHERE relation = 'xcom' AND operation LIKE 'ALTER COLUMN value TYPE%';

-- In the middle of a migration.
CALL lab.become('d59cbbef95eb', NULL);
SELECT min(step), (array_agg(revision ORDER BY step))[1] AS next FROM airflow_pin.migration_plan('3.0.6');

-- FAB: a newer provider than its release's is no error, and without FAB's tables there is no plan for it.
CALL lab.become('509b94a1042d', '02ca36b0235b');
SELECT count(*) FROM airflow_pin.migration_plan('3.1.8');
CALL lab.become('509b94a1042d', NULL);
SELECT DISTINCT revision, airflow_version FROM airflow_pin.migration_plan() WHERE component = 'fab' ORDER BY 1;
ALTER TABLE ab_user RENAME TO ab_person;
SELECT count(*) FROM airflow_pin.migration_plan() WHERE component = 'fab';
ALTER TABLE ab_person RENAME TO ab_user;

-- What monitoring may do.
CREATE ROLE regress_plan_monitor IN ROLE pg_monitor;
SET ROLE regress_plan_monitor;
SELECT count(*) > 0 FROM airflow_pin.migration_plan();
RESET ROLE;
CREATE ROLE regress_plan_nobody;
SET ROLE regress_plan_nobody;
SELECT * FROM airflow_pin.migration_plan();
RESET ROLE;
DROP ROLE regress_plan_monitor, regress_plan_nobody;

-- Another patch release than the known one, as preflight() takes it.
SELECT count(*) = (SELECT count(*) FROM airflow_pin.migration_plan('3.3.2')) AS is_the_same FROM airflow_pin.migration_plan('3.3.1');

-- Refused.
SELECT * FROM airflow_pin.migration_plan('three');
SELECT * FROM airflow_pin.migration_plan('4.0');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM airflow_pin.migration_plan('3.0.6');
\echo :LAST_ERROR_SQLSTATE
CALL lab.become('4bc4d934e2bc', NULL);
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
CALL lab.become('509b94a1042d', 'deadbeef');
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
CALL lab.become('509b94a1042d', NULL);
INSERT INTO alembic_version VALUES ('1d6611b6ab7c');
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
DELETE FROM alembic_version;
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
SET airflow_pin.airflow_schema = 'lab';
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
SET airflow_pin.airflow_schema = 'nowhere';
SELECT * FROM airflow_pin.migration_plan();
\echo :LAST_ERROR_SQLSTATE
RESET airflow_pin.airflow_schema;

-- Revision 0055 takes 61 s for 100,000 runs of one and the same conf, 76 s for different ones, a tenth for a tenth of
-- them; those without a conf, and those of an empty one ('\x80057d942e'), it passes by. Whatever is frequent.
INSERT INTO alembic_version VALUES ('');
CALL lab.become('5f2621c13b39', NULL);
CREATE FUNCTION lab.planned(conf text, measured real, OUT low boolean, OUT high boolean, OUT wide boolean) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE dag_run;
    EXECUTE format('INSERT INTO dag_run (conf) SELECT %s FROM generate_series(1, 10000) i', conf);
    ANALYZE dag_run;
    CALL lab.grow('dag_run', 100e3, 3000);
    SELECT extract(epoch FROM eta_low) < measured, extract(epoch FROM eta_high) > measured, eta_high > 3 * eta_low + interval '0.1 s'
    INTO low, high, wide FROM airflow_pin.migration_plan() WHERE operation LIKE '%OFFSET%';
END $$;
SELECT d.*, p.* FROM (VALUES ('equal', $$'\x8004950c000000000000007d948c016b948c017694732e'::bytea$$, 61),
    ('different', $$convert_to(md5(i::text), 'UTF8')$$, 76), ('wide', $$convert_to(repeat(md5(i::text), 50), 'UTF8')$$, 76),
    ('two values', $$CASE WHEN i % 2 = 0 THEN '\x80047d942e'::bytea ELSE '\x8004950c00' END$$, 61),
    ('half NULL, half equal', $$CASE WHEN i % 2 = 0 THEN '\x8004950c00'::bytea END$$, 31),
    ('a tenth different', $$CASE WHEN i % 10 = 0 THEN convert_to(md5(i::text), 'UTF8') ELSE '\x80057d942e' END$$, 7),
    ('a tenth equal', $$CASE WHEN i % 10 = 0 THEN '\x8004950c00'::bytea ELSE '\x80057d942e' END$$, 6.5),
    ('empty', $$'\x80057d942e'::bytea$$, 0.03), ('NULL', 'NULL::bytea', 0.03)) d (confs, expression, measured),
    lab.planned(d.expression, d.measured::real) p;

-- Rows that "airflow db clean" has deleted count no more, before an ANALYZE.
TRUNCATE dag_run;
ALTER TABLE dag_run SET (autovacuum_enabled = off);
INSERT INTO dag_run (id) SELECT generate_series(1, 10000);
SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE dag_run;
DELETE FROM dag_run WHERE id > 1000;
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT DISTINCT estimated_rows FROM airflow_pin.migration_plan() WHERE relation = 'dag_run';
ANALYZE dag_run;
SELECT DISTINCT estimated_rows FROM airflow_pin.migration_plan() WHERE relation = 'dag_run';
ALTER ROLE CURRENT_USER RESET TimeZone;
