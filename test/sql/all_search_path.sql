-- A hostile search_path: look-alike tables, operators and functions are never used.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
CALL lab.two_versions('free');
SELECT lab.uuid('d2') AS d2 \gset
CREATE SCHEMA evil;
CREATE TABLE evil.log (what text);
CREATE FUNCTION evil.caught(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evil.log VALUES (what);
    RETURN 'evil';
END $$;
-- tables of the same names, empty
CREATE TABLE evil.dag (LIKE public.dag);
CREATE TABLE evil.dag_version (LIKE public.dag_version);
CREATE TABLE evil.serialized_dag (LIKE public.serialized_dag);
CREATE TABLE evil.dag_code (LIKE public.dag_code);
CREATE TABLE evil.task_instance (LIKE public.task_instance);
CREATE TABLE evil.pinned_version (LIKE airflow_pin.pinned_version);
CREATE TABLE evil.run_decision (LIKE airflow_pin.run_decision);
CREATE TABLE evil.pin_history (LIKE airflow_pin.pin_history);
-- operators and functions that would be found before pg_catalog's
CREATE FUNCTION evil.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('='); RETURN true; END $$;
CREATE FUNCTION evil.equal(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('= uuid'); RETURN true; END $$;
CREATE FUNCTION evil.equal(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('= oid'); RETURN true; END $$;
CREATE FUNCTION evil.equal(varchar, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('= varchar'); RETURN true; END $$;
CREATE FUNCTION evil.less(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('<='); RETURN true; END $$;
CREATE FUNCTION evil.less(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('<='); RETURN true; END $$;
CREATE OPERATOR evil.= (FUNCTION = evil.equal, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR evil.= (FUNCTION = evil.equal, LEFTARG = uuid, RIGHTARG = uuid);
CREATE OPERATOR evil.= (FUNCTION = evil.equal, LEFTARG = oid, RIGHTARG = oid);
CREATE OPERATOR evil.= (FUNCTION = evil.equal, LEFTARG = varchar, RIGHTARG = text);
CREATE OPERATOR evil.<= (FUNCTION = evil.less, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR evil.< (FUNCTION = evil.less, LEFTARG = integer, RIGHTARG = integer);
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('clock_timestamp'); RETURN '2000-01-01'; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('now'); RETURN '2000-01-01'; END $$;
CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('pg_notify'); END $$;
CREATE FUNCTION evil.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('unnest'); END $$;
CREATE FUNCTION evil.length(text) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('length'); RETURN 0; END $$;
CREATE FUNCTION evil.pg_backend_pid() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught('pg_backend_pid'); RETURN 0; END $$;
CREATE DOMAIN evil.uuid AS pg_catalog.text;
CREATE DOMAIN evil.text AS pg_catalog.int4;
CREATE DOMAIN evil.jsonb AS pg_catalog.int4;
-- the same again as temporary tables, which come first wherever pg_temp is not put last
CREATE TEMP TABLE dag_version (LIKE public.dag_version);
CREATE TEMP TABLE pinned_version (LIKE airflow_pin.pinned_version);
CREATE TEMP TABLE task_instance (LIKE public.task_instance);

SET search_path = evil, pg_temp, public, pg_catalog;
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
SELECT item, state FROM airflow_pin.status() AS s;
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT version_number FROM airflow_pin.pin('d', 1, reason => 'r');
SELECT version_number FROM airflow_pin.pin('d', 2, valid_from => '2999-01-01');
SELECT version_number FROM airflow_pin.rollback('d');
SELECT version_number FROM airflow_pin.unpin('d');
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT version_number, action FROM airflow_pin.resolve('d');
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT kind, item FROM airflow_pin.diff('d', 1, 2);
-- The insert by itself, so that only what the extension does depends on search_path.
BEGIN;
INSERT INTO public.dag_run (dag_id, run_id, run_type, state, bundle_version, created_dag_version_id)
    VALUES ('d', 'hostile', 'scheduled', 'queued', 'b', :'d2');
INSERT INTO public.task_instance (id, task_id, dag_id, run_id, try_number, pool, pool_slots, context_carrier, dag_version_id)
    VALUES (pg_catalog.gen_random_uuid(), 'report', 'd', 'hostile', 0, 'default_pool', 1,
            '{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}', :'d2');
COMMIT;
SELECT airflow_pin.prune_decisions();
RESET search_path;
SELECT run_id, state, version, commit FROM lab.runs;
SELECT task_id, version FROM lab.tasks ORDER BY task_id;
SELECT count(DISTINCT context_carrier) AS carriers FROM public.task_instance;
SELECT action, requested, effective FROM lab.decisions;
SELECT what, count(*) FROM evil.log GROUP BY what;
SELECT (SELECT count(*) FROM evil.pinned_version) + (SELECT count(*) FROM evil.run_decision)
     + (SELECT count(*) FROM evil.pin_history) + (SELECT count(*) FROM pinned_version) AS evil_rows;
