-- The SQL contract of the functions: names, arguments, defaults and result columns are fixed. More
-- functions, named arguments and result columns at the end may come.
\ir ../fixtures/pgtap.sql

-- name, arguments, result: what pg_get_function_arguments() and pg_get_function_result() say.
CREATE TEMP TABLE contract (name text, arguments text, result text);
INSERT INTO contract VALUES
    ('attach', 'airflow_schema name DEFAULT NULL::name, lock_timeout interval DEFAULT ''00:00:02''::interval', 'void'),
    ('detach', '', 'void'),
    ('status', 'OUT item text, OUT state text, OUT detail text', 'SETOF record'),
    ('pin', 'dag_id text, version_number integer DEFAULT NULL::integer, on_mismatch text DEFAULT NULL::text, '
            'reason text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, '
            'run_types text[] DEFAULT NULL::text[], allow_override boolean DEFAULT NULL::boolean, '
            'valid_from timestamp with time zone DEFAULT NULL::timestamp with time zone, '
            'bundle_version text DEFAULT NULL::text, reruns text DEFAULT NULL::text', 'airflow_pin.pinned_version'),
    ('unpin', 'dag_id text, reason text DEFAULT NULL::text', 'airflow_pin.pinned_version'),
    ('rollback', 'dag_id text, reason text DEFAULT NULL::text', 'airflow_pin.pinned_version'),
    ('resolve', 'dag_id text, run_type text DEFAULT ''scheduled''::text, OUT version_number integer, '
                'OUT dag_version_id uuid, OUT bundle_version text, OUT action text, OUT reason text', 'record'),
    ('pins', 'OUT dag_id text, OUT pinned_version integer, OUT latest_version integer, OUT versions_behind integer, '
             'OUT on_mismatch text, OUT bundle_version text, OUT pinned_by name, OUT pinned_at timestamp with time zone, '
             'OUT expires_at timestamp with time zone, OUT reason text, OUT drift text[]', 'SETOF record'),
    ('diff', 'dag_id text, from_version integer, to_version integer, OUT kind text, OUT item text, '
             'OUT from_value jsonb, OUT to_value jsonb', 'SETOF record'),
    ('migration_status', 'OUT verdict text, OUT pid integer, OUT phase text, OUT component text, OUT revision text, '
                         'OUT relation text, OUT done_bytes bigint, OUT total_bytes bigint, OUT percent numeric, '
                         'OUT bytes_per_second numeric, OUT eta interval, OUT running_for interval, '
                         'OUT wait_event_type text, OUT wait_event text, OUT blocked_by integer[], OUT evidence text, '
                         'OUT next_action text', 'SETOF record'),
    ('prune_decisions', 'older_than interval DEFAULT ''90 days''::interval', 'bigint');

-- As it is, or with more at the end.
SELECT ok(bool_or(pg_get_function_arguments(p.oid) = c.arguments
                  OR starts_with(pg_get_function_arguments(p.oid), c.arguments || ', ')),
          format('%s(%s)', c.name, c.arguments))
    FROM contract c LEFT JOIN pg_proc p ON p.proname = c.name AND p.pronamespace = 'airflow_pin'::regnamespace
    GROUP BY c.name, c.arguments ORDER BY c.name;
SELECT is(pg_get_function_result(p.oid), c.result, format('%s() returns %s', c.name, c.result))
    FROM contract c LEFT JOIN pg_proc p ON p.proname = c.name AND p.pronamespace = 'airflow_pin'::regnamespace
    ORDER BY c.name;

-- The triggers' functions, and every function of the extension.
SELECT function_returns('airflow_pin', name, ARRAY[]::name[], 'trigger')
    FROM unnest(ARRAY['enforce_run', 'reconcile_run', 'announce_pins', 'refuse_change']) name;
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace
                  AND coalesce(obj_description(oid, 'pg_proc'), '') = ''$$, 'every function has a comment');
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace AND prosecdef$$,
                'no function is SECURITY DEFINER');
-- They call functions that may fail in subtransactions, which a parallel worker cannot begin.
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace AND proparallel <> 'u'$$,
                'none is for parallel workers');
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace
                  GROUP BY proname HAVING count(*) > 1$$, 'no function is overloaded: named calls are never ambiguous');
SELECT is_empty($$SELECT proname FROM pg_proc p WHERE pronamespace = 'airflow_pin'::regnamespace AND NOT EXISTS
                  (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')$$, 'all belong to the extension');
SELECT volatility_is('airflow_pin', name, 'stable', format('%s() only reads', name))
    FROM unnest(ARRAY['status', 'resolve', 'pins', 'diff']) name;
SELECT volatility_is('airflow_pin', name, 'volatile', format('%s() changes something', name))
    FROM unnest(ARRAY['attach', 'detach', 'pin', 'unpin', 'rollback', 'prune_decisions']) name;

-- The extension itself.
SELECT is(extversion, '1.1', 'version') FROM pg_extension WHERE extname = 'airflow_pin';
SELECT is(extnamespace::regnamespace::text, 'airflow_pin', 'schema') FROM pg_extension WHERE extname = 'airflow_pin';
SELECT is(extrelocatable, false, 'not relocatable') FROM pg_extension WHERE extname = 'airflow_pin';
SELECT is(superuser AND NOT trusted, true, 'for superusers') FROM pg_available_extension_versions
    WHERE name = 'airflow_pin' AND version = '1.1';

-- Settings.
SELECT is(current_setting('airflow_pin.' || name), value, format('%s is %s', name, value))
    FROM (VALUES ('enabled', 'on'), ('airflow_schema', ''), ('unpinned_dags', 'allow'), ('log_decisions', 'on')) s (name, value);
-- A rate for estimates takes no pin out of force: everybody may set it.
SELECT is(context, CASE name WHEN 'airflow_pin.rewrite_mb_per_second' THEN 'user' ELSE 'superuser' END,
          format('%s is for its right users', name))
    FROM pg_settings WHERE name LIKE 'airflow\_pin.%' ORDER BY name;
SELECT is_empty($$SELECT name FROM pg_settings WHERE name LIKE 'airflow\_pin.%' AND coalesce(short_desc, '') = ''$$,
                'every setting is described');

SELECT * FROM finish();
ROLLBACK;
