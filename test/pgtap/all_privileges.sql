-- Who has which right: PUBLIC none, pg_monitor looks.
\ir ../fixtures/pgtap.sql
CREATE ROLE regress_pgtap;

SELECT is(has_schema_privilege('regress_pgtap', 'airflow_pin', 'USAGE'), false, 'schema: no USAGE for PUBLIC');
SELECT is(has_schema_privilege('regress_pgtap', 'airflow_pin', 'CREATE'), false, 'schema: no CREATE for PUBLIC');
SELECT is(has_function_privilege('regress_pgtap', oid, 'EXECUTE'), false, format('%s: no EXECUTE for PUBLIC', proname))
    FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace ORDER BY proname;
SELECT is(has_any_column_privilege('regress_pgtap', oid, 'SELECT, INSERT, UPDATE')
          OR has_table_privilege('regress_pgtap', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'), false,
          format('%s: nothing for PUBLIC', relname))
    FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'r' ORDER BY relname;
SELECT is(has_sequence_privilege('regress_pgtap', oid, 'USAGE, SELECT, UPDATE'), false, format('%s: nothing for PUBLIC', relname))
    FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'S' ORDER BY relname;

SELECT is(has_schema_privilege('pg_monitor', 'airflow_pin', 'USAGE'), true, 'pg_monitor: USAGE of the schema');
-- What only looks, but for diff() and export_runs(), which show what Airflow's tables hold.
SELECT is(has_function_privilege('pg_monitor', oid, 'EXECUTE'),
          proname IN ('bad_rows', 'drain', 'fab_report', 'in_flight', 'is_ready', 'locks', 'lost_on_rollback', 'migration_plan',
                      'migration_status', 'pins', 'postflight', 'preflight', 'resolve', 'status', 'status_report', 'table_sizes'),
          format('pg_monitor: %s', proname))
    FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace ORDER BY proname;
SELECT is(has_table_privilege('pg_monitor', 'airflow_pin.' || name, 'SELECT'), true, format('pg_monitor may read %s', name))
    FROM unnest(ARRAY['pinned_version', 'pin_history', 'run_decision']) name;
SELECT is(has_sequence_privilege('pg_monitor', oid, 'SELECT') AND NOT has_sequence_privilege('pg_monitor', oid, 'USAGE, UPDATE'),
          true, format('pg_monitor may dump %s', relname))
    FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'S' ORDER BY relname;
SELECT is(has_table_privilege('pg_monitor', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'), false, format('pg_monitor may not write %s', relname))
    FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'r' ORDER BY relname;

-- A schema that is there already is taken where nobody else can have put look-alikes into it, and is closed to PUBLIC.
DROP EXTENSION airflow_pin;
DROP SCHEMA IF EXISTS airflow_pin;
CREATE SCHEMA airflow_pin AUTHORIZATION regress_pgtap;
SELECT throws_ok('CREATE EXTENSION airflow_pin', '42P06', NULL, 'a schema of another role is not taken');
ALTER SCHEMA airflow_pin OWNER TO CURRENT_USER;
GRANT ALL ON SCHEMA airflow_pin TO PUBLIC;
CREATE TABLE airflow_pin.look_alike ();
SELECT throws_ok('CREATE EXTENSION airflow_pin', '42P06', NULL, 'nor one that holds something');
DROP TABLE airflow_pin.look_alike;
SELECT lives_ok('CREATE EXTENSION airflow_pin', 'an empty one is');
SELECT is(has_schema_privilege('regress_pgtap', 'airflow_pin', 'USAGE, CREATE'), false, 'and what PUBLIC might do there is over');

SELECT * FROM finish();
ROLLBACK;
