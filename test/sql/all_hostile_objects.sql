-- A role that may create objects, also in Airflow's schema: names that break what is not quoted, and tables that look like
-- Airflow's own. No SQL of a finding does more than it says, and nothing of that role runs with the rights of others.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
\set ECHO none
\i :abs_srcdir/fixtures/health_airflow2.sql
SET client_min_messages = error;
CREATE EXTENSION airflow_pin;
INSERT INTO alembic_version VALUES ('5f2621c13b39');
DROP ROLE IF EXISTS regress_creator;
CREATE ROLE regress_creator;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_creator', current_database()); END $$;
GRANT ALL ON SCHEMA public TO regress_creator;
GRANT SELECT, TRIGGER, REFERENCES ON ALL TABLES IN SCHEMA public TO regress_creator;
-- One name, quoted for SQL, for use after the colon.
\set evil '"x''; DROP TABLE public.dag; --""x"'
\set ECHO all
SET ROLE regress_creator;
CREATE SCHEMA :evil;
CREATE VIEW :evil.:evil AS SELECT id, conf FROM public.dag_run;
CREATE MATERIALIZED VIEW :evil."mat'; DROP TABLE public.dag; --" AS SELECT uri FROM public.dataset;
CREATE TABLE :evil."fk'; DROP TABLE public.dag; --" (uri text CONSTRAINT :evil REFERENCES public.dataset (uri));
CREATE TRIGGER :evil AFTER UPDATE OF conf ON public.dag_run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE FUNCTION :evil.:evil(integer) RETURNS boolean BEGIN ATOMIC SELECT conf IS NOT NULL FROM public.dag_run WHERE id = $1; END;
-- Look-alikes, with code that tells who runs it.
CREATE FUNCTION :evil.spy(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> 'regress_creator' THEN RAISE WARNING 'runs as %', current_user; END IF;
    RETURN true;
END $$;
CREATE TABLE public."ab_'; DROP TABLE public.dag; --" (id integer PRIMARY KEY, s serial, n integer);
CREATE TABLE public."alembic_version_'; DROP TABLE public.dag; --" (version_num text);
CREATE TABLE public."_airflow_moved__2_2__dag_run" (id integer);
CREATE TABLE public."_airflow_deleted__dag'; DROP TABLE public.dag; --" (id integer);
CREATE TABLE public.alembic_version_fab (version_num text);
INSERT INTO public.alembic_version_fab VALUES ('''; DROP TABLE public.dag; --');
CREATE INDEX ON public.alembic_version_fab (version_num) WHERE :evil.spy('a');
CREATE INDEX ON public."ab_'; DROP TABLE public.dag; --" (n) WHERE :evil.spy('b');
CREATE TABLE public.ab_group (id integer, name text, label text);
CREATE INDEX ON public.ab_group (name) WHERE :evil.spy('c');
CREATE VIEW public.callback AS SELECT 1 AS id, :evil.spy('d') AS state;
RESET ROLE;
\c -
\pset format unaligned
CREATE TEMP TABLE findings AS
    SELECT * FROM airflow_pin.preflight('3.3.2')
    UNION ALL SELECT * FROM airflow_pin.fab_report() UNION ALL SELECT * FROM airflow_pin.bad_rows()
    UNION ALL SELECT * FROM airflow_pin.baseline('l') UNION ALL SELECT * FROM airflow_pin.postflight('l');
SELECT count(*) > 50 AS many FROM findings;
SELECT DISTINCT check_name, object, fix_sql FROM findings WHERE fix_sql LIKE '%DROP TABLE%' OR object LIKE '%DROP TABLE%' ORDER BY 1, 2, 3;
-- Without a plan nothing is proposed for what depends on the tables; with one it is.
SET ROLE regress_creator;
UPDATE public.alembic_version_fab SET version_num = '6709f7a774b9';
RESET ROLE;
INSERT INTO findings SELECT * FROM airflow_pin.preflight('3.3.2');
SELECT DISTINCT check_name, object, fix_sql FROM findings WHERE fix_sql LIKE '%DROP TABLE%' OR object LIKE '%DROP TABLE%' ORDER BY 1, 2, 3;
SELECT count(*) > 0 AS some FROM airflow_pin.table_sizes() WHERE relation LIKE '%DROP TABLE%';
SELECT count(*) FROM airflow_pin.in_flight();
SELECT verdict FROM airflow_pin.migration_status();
-- Do as the findings say: what is named goes, and no more.
DO $$
DECLARE fix text;
BEGIN
    FOR fix IN SELECT DISTINCT fix_sql FROM findings WHERE fix_sql LIKE '%DROP TABLE public.dag;%' ORDER BY 1 LOOP
        EXECUTE fix;
    END LOOP;
END $$;
SELECT to_regclass('public.dag'), to_regclass('public.dag_run');
\set ECHO none
SET client_min_messages = warning;
DROP OWNED BY regress_creator CASCADE;
DROP ROLE regress_creator;
