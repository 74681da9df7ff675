-- Every function of the extension, called with a search_path whose first schema has every operator, many functions and the
-- catalogs that pg_catalog has: none of them is used.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
\i :abs_srcdir/fixtures/health.sql
\set ECHO none
SET client_min_messages = warning;
ALTER TABLE dag ADD IF NOT EXISTS max_active_runs integer DEFAULT 16;
CREATE TABLE IF NOT EXISTS dag_tag (name varchar(100), dag_id varchar(250));
CALL lab.two_versions('d');
DROP SCHEMA IF EXISTS evil CASCADE;
CREATE SCHEMA evil;
CREATE SEQUENCE evil.calls;
CREATE FUNCTION evil.caught(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS
    $$ BEGIN PERFORM nextval('evil.calls'); RAISE WARNING 'caught: %', what; END $$;
DO $$
DECLARE r record;
BEGIN
    FOR r IN SELECT o.oid, oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result FROM pg_operator o
             WHERE oprkind = 'b' AND oprresult = 'bool'::regtype AND oprnamespace = 'pg_catalog'::regnamespace
               AND ARRAY[oprleft, oprright] <@ '{text, oid, name, int2, int4, int8, bool, timestamptz, "\"char\"", uuid, interval,
                                                 regclass, xid, inet, jsonb, numeric, float8, anyarray}'::regtype[]::oid[] LOOP
        EXECUTE format('CREATE FUNCTION evil.op%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM evil.caught(%L); RETURN true; END $f$',
                       r.oid, r.l, r.r, r.result, format('%s %s %s', r.l, r.oprname, r.r));
        EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.op%s, LEFTARG = %s, RIGHTARG = %s)', r.oprname, r.oid, r.l, r.r);
    END LOOP;
    FOR r IN SELECT proname, pg_get_function_identity_arguments(p.oid) AS arguments, prorettype::regtype AS result FROM pg_proc p
             WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND NOT proretset AND provariadic = 0 AND prorettype <> 'void'::regtype
               AND proname = ANY ('{now, clock_timestamp, pg_backend_pid, current_database, pg_blocking_pids, to_char, lower, length, age,
                   pg_has_role, has_table_privilege, date_trunc, string_to_array, array_to_string, to_regclass, pg_get_indexdef,
                   obj_description, starts_with, regexp_replace, substr, split_part, md5, to_jsonb}'::name[])
               AND pg_get_function_identity_arguments(p.oid) !~ 'any' LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM evil.caught(%L); RETURN NULL; END $f$',
                       r.proname, r.arguments, r.result, r.proname);
    END LOOP;
    -- every catalog and system view, with nothing in it
    FOR r IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') LOOP
        EXECUTE format('CREATE TABLE evil.%I (nothing text)', r.relname);
    END LOOP;
END $$;
\set ECHO all
SET search_path = evil, public, pg_catalog;
RESET client_min_messages;
-- It would be seen.
SELECT 1 = 2 AS caught;
SELECT pg_catalog.setval('evil.calls', 1, false);
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT version_number FROM airflow_pin.pin('d', 2, valid_from => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT version_number FROM airflow_pin.rollback('d');
SELECT version_number, action FROM airflow_pin.resolve('d');
SELECT dag_id, drift FROM airflow_pin.pins();
SELECT kind, item FROM airflow_pin.diff('d', 1, 2);
SELECT state FROM airflow_pin.status() AS s LIMIT 3;
-- How many rows there are is for the tests of each; here, that there are as many as with the usual search_path.
CREATE PROCEDURE lab.both(VARIADIC calls text[]) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    call text;
    counts bigint[];
    path text;
    n bigint;
BEGIN
    FOREACH call IN ARRAY calls LOOP
        counts := '{}';
        FOREACH path IN ARRAY ARRAY['public', 'evil, public, pg_catalog'] LOOP
            PERFORM set_config('search_path', path, true);
            EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM airflow_pin.%s', call) INTO n;
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
            counts := counts || n;
        END LOOP;
        IF counts[1] <> counts[2] THEN RAISE WARNING '%: % rows', call, counts; END IF;
    END LOOP;
END $$;
CALL lab.both('table_sizes()', 'locks()', 'in_flight()', 'preflight(''3.3.2'')', 'fab_report()', 'fab_report(NULL, NULL)', 'bad_rows()',
              'bad_rows(NULL, NULL)', 'migration_plan()', 'migration_status()',
              'status_report(''l'')', 'throttle(''l'', 1)', 'prune_decisions()');
SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 AS some FROM airflow_pin.baseline('l');
SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 AS some FROM airflow_pin.postflight('l');
SELECT airflow_pin.is_ready('3.3.2') IS NOT NULL AS answers;
SELECT * FROM airflow_pin.pause_all('l');
SELECT * FROM airflow_pin.resume('l');
SELECT airflow_pin.unthrottle('l');
CALL airflow_pin.drain('1 s', '10 ms');
SELECT airflow_pin.detach();
SELECT airflow_pin.attach();
SELECT is_called FROM evil.calls;
\set ECHO none
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA evil CASCADE;
