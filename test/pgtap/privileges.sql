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
SELECT is(has_function_privilege('pg_monitor', oid, 'EXECUTE'), proname IN ('status', 'pins', 'resolve'), format('pg_monitor: %s', proname))
    FROM pg_proc WHERE pronamespace = 'airflow_pin'::regnamespace
    AND proname IN ('attach', 'detach', 'status', 'pin', 'unpin', 'rollback', 'resolve', 'pins', 'prune_decisions') ORDER BY proname;
SELECT is(has_table_privilege('pg_monitor', 'airflow_pin.' || name, 'SELECT'), true, format('pg_monitor may read %s', name))
    FROM unnest(ARRAY['pinned_version', 'pin_history', 'run_decision']) name;
SELECT is(has_sequence_privilege('pg_monitor', oid, 'SELECT') AND NOT has_sequence_privilege('pg_monitor', oid, 'USAGE, UPDATE'),
          true, format('pg_monitor may dump %s', relname))
    FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'S' ORDER BY relname;
SELECT is(has_table_privilege('pg_monitor', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER'), false, format('pg_monitor may not write %s', relname))
    FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'r' ORDER BY relname;

SELECT * FROM finish();
ROLLBACK;
