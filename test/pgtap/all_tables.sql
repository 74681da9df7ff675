-- The SQL contract of the tables.
\ir ../fixtures/pgtap.sql

SELECT has_table('airflow_pin', name, format('table %s', name))
    FROM unnest(ARRAY['pinned_version', 'pin_history', 'run_decision']) name;

CREATE TEMP TABLE contract (table_name name, column_name name, type text, nullable boolean);
INSERT INTO contract VALUES
    ('pinned_version', 'dag_id', 'text', false), ('pinned_version', 'valid_from', 'timestamp with time zone', false),
    ('pinned_version', 'version_number', 'integer', false), ('pinned_version', 'dag_version_id', 'uuid', false),
    ('pinned_version', 'bundle_name', 'text', true), ('pinned_version', 'bundle_version', 'text', true),
    ('pinned_version', 'dag_hash', 'text', true), ('pinned_version', 'source_code_hash', 'text', true),
    ('pinned_version', 'on_mismatch', 'text', false), ('pinned_version', 'run_types', 'text[]', true),
    ('pinned_version', 'reruns', 'text', false), ('pinned_version', 'allow_override', 'boolean', false),
    ('pinned_version', 'expires_at', 'timestamp with time zone', true), ('pinned_version', 'reason', 'text', true),
    ('pinned_version', 'pinned_by', 'name', false), ('pinned_version', 'pinned_at', 'timestamp with time zone', false),
    ('pin_history', 'dag_id', 'text', false), ('pin_history', 'event', 'text', false),
    ('pin_history', 'at', 'timestamp with time zone', false), ('pin_history', 'by', 'name', false),
    ('pin_history', 'reason', 'text', true), ('pin_history', 'from_version', 'integer', true),
    ('pin_history', 'to_version', 'integer', true),
    ('run_decision', 'dag_id', 'text', false), ('run_decision', 'run_id', 'text', false),
    ('run_decision', 'run_type', 'text', false), ('run_decision', 'action', 'text', false),
    ('run_decision', 'requested_version', 'integer', true), ('run_decision', 'effective_version', 'integer', true),
    ('run_decision', 'decided_at', 'timestamp with time zone', false), ('run_decision', 'detail', 'text', true);
SELECT is(format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
          c.type || CASE WHEN c.nullable THEN '' ELSE ' NOT NULL' END, format('%s.%s', table_name, column_name))
    FROM contract c LEFT JOIN pg_attribute a
    ON attrelid = ('airflow_pin.' || table_name)::regclass AND attname = column_name AND NOT attisdropped;

SELECT col_is_pk('airflow_pin', 'pinned_version', ARRAY['dag_id', 'valid_from'], 'primary key of pinned_version');
SELECT has_index('airflow_pin', 'run_decision', 'run_decision_dag_id_run_id_idx', ARRAY['dag_id', 'run_id']);
SELECT has_index('airflow_pin', 'run_decision', 'run_decision_decided_at_idx', ARRAY['decided_at']);
SELECT is_empty($$SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid IN
    (SELECT oid FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace)$$, 'no foreign key, least of all to Airflow''s tables');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind IN ('v', 'm')$$,
                'no view');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'r'
                  AND coalesce(obj_description(oid, 'pg_class'), '') = ''$$, 'every table has a comment');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind = 'c'
                  AND coalesce(obj_description(reltype, 'pg_type'), '') = ''$$, 'every composite type has a comment');
SELECT is_empty($$SELECT relname, attname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
                  WHERE relnamespace = 'airflow_pin'::regnamespace AND relkind IN ('r', 'c') AND attnum > 0 AND NOT attisdropped
                  AND coalesce(col_description(attrelid, attnum), '') = ''$$, 'every column of them has a comment');

-- pg_dump keeps all tables but the one of rows to lock, and the sequences behind their ids.
SELECT is(c.oid = ANY (extconfig), relname <> 'pin_lock', format('%s: dumped, if it tells anything', relname))
    FROM pg_class c, pg_extension WHERE extname = 'airflow_pin' AND relnamespace = 'airflow_pin'::regnamespace
    AND relkind IN ('r', 'S') ORDER BY relname;
SELECT is_empty($$SELECT 1 FROM pg_extension, unnest(extcondition) c WHERE extname = 'airflow_pin' AND c <> ''$$,
                'with all of its rows');

-- Rows are written in the name of the tables' owner: who did it is told by session_user.
SELECT is(pg_get_expr(adbin, adrelid), 'SESSION_USER', format('%s.%s is session_user', adrelid::regclass, attname))
    FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE adrelid::regclass::text LIKE 'airflow\_pin.%' AND atttypid = 'name'::regtype ORDER BY adrelid::regclass::text;

-- What the tables themselves refuse.
SELECT throws_ok(format('INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, on_mismatch, %I)
                         VALUES (''d'', now(), 1, gen_random_uuid(), ''rewrite'', %L)', name, value), '23514', NULL,
                 format('%s %s is refused', name, value))
    FROM (VALUES ('reruns', 'x'), ('run_types', '{x}'), ('run_types', '{}'), ('run_types', '{NULL}'), ('expires_at', '1999-01-01')) v (name, value);
SELECT throws_ok($$INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, on_mismatch)
                   VALUES ('d', now(), 1, gen_random_uuid(), 'x')$$, '23514', NULL, 'on_mismatch x is refused');
SELECT throws_ok($$INSERT INTO airflow_pin.pinned_version (dag_id, valid_from, version_number, dag_version_id, on_mismatch)
                   VALUES ('d', now(), 0, gen_random_uuid(), 'rewrite')$$, '23514', NULL, 'version 0 is refused');
SELECT throws_ok($$INSERT INTO airflow_pin.pin_history (dag_id, event) VALUES ('d', 'x')$$, '23514', NULL, 'event x is refused');
SELECT throws_ok($$INSERT INTO airflow_pin.run_decision (dag_id, run_id, run_type, action, airflow_schema)
                   VALUES ('d', 'r', 'manual', 'x', 'public')$$, '23514', NULL, 'action x is refused');
SELECT lives_ok($$INSERT INTO airflow_pin.throttle (label, max_active_runs, before) VALUES ('a', 1, '{}')$$, 'one throttle');
SELECT throws_ok($$INSERT INTO airflow_pin.throttle (label, max_active_runs, before) VALUES ('b', 1, '{}')$$, '23505', NULL,
                 'a second throttle is refused');
SELECT throws_ok(command || ' airflow_pin.pin_history' || rest, '55000', NULL, 'history is append-only: ' || command)
    FROM (VALUES ('DELETE FROM', ''), ('TRUNCATE', ''), ('UPDATE', ' SET reason = NULL')) v (command, rest);

SELECT * FROM finish();
ROLLBACK;
