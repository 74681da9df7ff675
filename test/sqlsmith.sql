-- What sqlsmith is let loose on; test/sqlsmith runs it. sqlsmith does not call functions that return sets, so each
-- function of the extension becomes a view, which calls it with values picked at random.
CREATE SCHEMA smith;
CREATE ROLE smith LOGIN;
GRANT pg_monitor TO smith;
GRANT USAGE ON SCHEMA smith, public, airflow_pin, lab TO smith;

CREATE FUNCTION smith.pick(VARIADIC anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS
    'SELECT $1[1 + floor(random() * cardinality($1))::integer]';
CREATE FUNCTION smith.text_value() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT smith.pick(NULL, '', 'd', 'e', 'd', 'e', 'no_such', '1', '3.3.2', '3.0', '2.11', 'scheduled', 'manual', 'rewrite',
                      'reject', 'observe', 'pinned', 'airflow', 'before', '%', '{', E'\n\t''"\\', repeat('x', 300),
                      'näme 名前', 'a', 'b', 'public', '-infinity')
$$;
CREATE FUNCTION smith.value_of(type regtype) RETURNS text LANGUAGE sql AS $$
    SELECT CASE type
        WHEN 'text'::regtype THEN 'smith.text_value()'
        WHEN 'name'::regtype THEN 'smith.text_value()::name'
        WHEN 'integer'::regtype THEN 'smith.pick(NULL, -1, 0, 1, 1, 2, 2, 3, 2147483647, -2147483648)'
        WHEN 'boolean'::regtype THEN 'smith.pick(NULL, true, false)'
        WHEN 'text[]'::regtype THEN
            'smith.pick(NULL, ''{}''::text, ''{scheduled}'', ''{NULL}'', ''{{manual,backfill},{a,b}}'', ''{x}'')::text[]'
        WHEN 'timestamptz'::regtype THEN
            'smith.pick(NULL, ''infinity''::timestamptz, ''-infinity'', now(), now() + interval ''1 day'', now() - interval ''1 day'', ''4714-11-24 BC'')'
        WHEN 'interval'::regtype THEN
            'smith.pick(NULL, ''0''::interval, ''-1 day'', ''1 ms'', ''90 days'', ''178000000 years'')'
        ELSE format('NULL::%s', type)
    END
$$;

CALL lab.two_versions('d');
CALL lab.two_versions('e');
SELECT airflow_pin.pin('d', 1);
CALL lab.run('d', 'run');
CALL lab.run('e', 'run');

-- The owner of Airflow's tables, with a right on every function.
SELECT format('ALTER TABLE %s OWNER TO smith', oid::regclass) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \gexec
ALTER SCHEMA public OWNER TO smith;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA airflow_pin, lab TO smith;
SELECT format('GRANT SELECT ON ALL TABLES IN SCHEMA airflow_pin, lab TO smith') \gexec
ALTER DATABASE postgres SET track_functions = 'all';

SELECT format('CREATE VIEW smith.%I AS SELECT f.* FROM airflow_pin.%I(%s) f', proname || '_' || oid, proname,
              (SELECT string_agg(smith.value_of(type), ', ' ORDER BY place)
               FROM unnest(proargtypes) WITH ORDINALITY AS a (type, place)))
    FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace AND prokind = 'f'
        AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'void'::regtype) \gexec
SELECT format('CREATE VIEW smith.%I AS SELECT airflow_pin.%I(%s)::text', proname || '_' || oid, proname,
              (SELECT string_agg(smith.value_of(type), ', ' ORDER BY place)
               FROM unnest(proargtypes) WITH ORDINALITY AS a (type, place)))
    FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace AND prokind = 'f' AND prorettype = 'void'::regtype \gexec
GRANT SELECT ON ALL TABLES IN SCHEMA smith TO smith;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smith TO smith;
SELECT format('ALTER VIEW smith.%I OWNER TO smith', viewname) FROM pg_views WHERE schemaname = 'smith' \gexec

-- What sqlsmith takes for the catalogs, of the other functions not all: it does not know that a value cannot be of type
-- anyrange, and most of its queries would end there.
CREATE VIEW smith.pg_type AS SELECT t.oid, t.typnamespace, t.typdelim, t.typrelid, t.typelem, t.typarray, coalesce(c.typtype, t.typtype) AS typtype,
        coalesce(c.typname, t.typname) AS typname
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type c ON c.typnamespace = 'pg_catalog'::regnamespace AND c.typname = CASE t.typname
        WHEN 'anyrange' THEN 'int4range' WHEN 'anycompatiblerange' THEN 'int4range' WHEN 'anymultirange' THEN 'int4multirange'
        WHEN 'anycompatiblemultirange' THEN 'int4multirange' WHEN 'anycompatiblearray' THEN '_int4'
        WHEN 'anyelement' THEN 'int4' WHEN 'anynonarray' THEN 'int4' WHEN 'anycompatible' THEN 'int4' WHEN 'anycompatiblenonarray' THEN 'int4' END;
CREATE VIEW smith.pg_proc AS SELECT p.* FROM pg_catalog.pg_proc p
    WHERE pronamespace IN ('airflow_pin'::regnamespace, 'smith'::regnamespace)
       OR pronamespace = 'pg_catalog'::regnamespace AND proname IN ('length', 'lower', 'abs', 'now', 'left', 'repeat', 'to_jsonb', 'int4', 'float8',
          'clock_timestamp', 'date_trunc', 'mod', 'random', 'max', 'min', 'count', 'sum', 'jsonb_typeof', 'gen_random_uuid', 'cardinality');
GRANT SELECT ON smith.pg_type, smith.pg_proc TO smith;
