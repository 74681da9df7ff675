-- What the extension has put into the catalogue, as one JSON document for reference.py. In the order of the install
-- script, which is that of the OIDs; columns and settings by position and name.
WITH member AS (
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'airflow_pin')
), col AS (
    SELECT attrelid, jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, atttypmod),
                                                  'comment', col_description(attrelid, attnum)) ORDER BY attnum) AS columns
    FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped GROUP BY attrelid
)
SELECT jsonb_pretty(jsonb_build_object(
    'functions', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', proname, 'kind', prokind,
            'arguments', (SELECT coalesce(jsonb_agg(concat_ws(' ', proargnames[n], format_type(type, NULL),
                                                    'DEFAULT ' || pg_get_function_arg_default(p.oid, n::int)) ORDER BY n), '[]')
                          FROM unnest(proargtypes) WITH ORDINALITY AS a (type, n)),
            'result', pg_get_function_result(p.oid), 'returns_set', proretset,
            'out', (SELECT jsonb_agg(jsonb_build_object('name', name, 'type', format_type(type, NULL)) ORDER BY n)
                    FROM unnest(proargnames, proallargtypes, proargmodes) WITH ORDINALITY AS a (name, type, mode, n)
                    WHERE mode = 'o'),
            'monitor', has_function_privilege('pg_monitor', p.oid, 'EXECUTE'),
            'comment', obj_description(p.oid, 'pg_proc')) ORDER BY p.oid)
        FROM pg_proc p JOIN member ON classid = 'pg_proc'::regclass AND objid = p.oid),
    'tables', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', relname, 'columns', columns,
            'monitor', has_table_privilege('pg_monitor', c.oid, 'SELECT'),
            'comment', obj_description(c.oid, 'pg_class')) ORDER BY c.oid)
        FROM pg_class c JOIN member ON classid = 'pg_class'::regclass AND objid = c.oid JOIN col ON attrelid = c.oid
        WHERE relkind = 'r'),
    'types', (
        SELECT jsonb_agg(jsonb_build_object('name', typname, 'columns', columns,
                                            'comment', obj_description(t.oid, 'pg_type')) ORDER BY t.oid)
        FROM pg_type t JOIN member ON classid = 'pg_type'::regclass AND objid = t.oid
            JOIN pg_class c ON c.oid = typrelid AND relkind = 'c' JOIN col ON attrelid = c.oid),
    'settings', (
        SELECT jsonb_agg(jsonb_build_object('name', name, 'default', boot_val, 'values', enumvals, 'context', context,
                                            'comment', concat_ws(' ', short_desc, extra_desc)) ORDER BY name)
        FROM pg_settings WHERE name LIKE 'airflow_pin.%')));
