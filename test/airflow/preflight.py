"""What preflight() finds, taken to the real "airflow db migrate", mended, and taken there again. See preflight."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2

FROM, TO, BETWEEN = sys.argv[1:4]
STARTS = {"2.11.2": (FROM, []), "3.0.6": (TO, ["--to-version", "3.0.6"]), "3.1.8": (TO, ["--to-version", "3.1.8"])}

BASE_ROWS = """
INSERT INTO dag (dag_id, has_task_concurrency_limits, max_active_tasks, max_consecutive_failed_dag_runs)
    VALUES ('d', false, 1, 0);
INSERT INTO dag_run (id, dag_id, run_id, execution_date, run_type, state)
    SELECT g, 'd', 'r' || g, '2024-01-01'::timestamptz + g * interval '1 day', 'manual', 'success'
    FROM generate_series(1, 5) g;
INSERT INTO task_instance (dag_id, task_id, run_id, map_index, pool, pool_slots, try_number)
    SELECT 'd', 't', 'r' || g, -1, 'default_pool', 1, 1 FROM generate_series(1, 5) g;
INSERT INTO ab_role (id, name) VALUES (101, 'one'), (102, 'two');
INSERT INTO ab_user (id, first_name, last_name, username, email)
    SELECT g, 'f', 'l', 'user' || g, g || '@x' FROM generate_series(101, 103) g;
INSERT INTO ab_user_role (id, user_id, role_id) VALUES (101, 101, 101), (102, 102, 101);
INSERT INTO ab_permission (id, name) VALUES (101, 'can_x');
INSERT INTO ab_view_menu (id, name) VALUES (101, 'X');
INSERT INTO ab_permission_view (id, permission_id, view_menu_id) VALUES (101, 101, 101);
INSERT INTO ab_permission_view_role (id, permission_view_id, role_id) VALUES (101, 101, 101);
"""

TI = "dag_id, task_id, run_id, map_index"
LOST = "'d', 'lost', 'r1', -1"
ADDED = "'2024-01-01', '2024-01-01'"


def xcom(value: str, run: int = 1, key: str = "k") -> str:
    return (
        f"INSERT INTO xcom (dag_run_id, {TI}, key, value, timestamp)"
        f" VALUES ({run}, 'd', 't', 'r{run}', -1, '{key}', {value}, now());"
    )


def conf(value: object) -> str:
    return f"UPDATE dag_run SET conf = '\\x{pickle.dumps(value, 5).hex()}' WHERE id = 2;"


# One thing of a kind for each column of Airflow's tables: those on columns that the migration leaves alone must not
# make it fail.
EACH_COLUMN = """
DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT c.relname, a.attname, row_number() OVER () AS n FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND c.relname NOT LIKE 'alembic%'
    LOOP EXECUTE format('{}', {}); END LOOP; END $$"""

OWN_ROLE = """
DO $$ BEGIN CREATE ROLE lab_migrator LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
             AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype IN ('a', 'i'))
    LOOP EXECUTE format('ALTER TABLE %s OWNER TO lab_migrator', r.name); END LOOP; END $$;
GRANT CREATE ON SCHEMA public TO lab_migrator;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO lab_migrator', current_database()); END $$;
"""

# Warnings on which a migration fails here, and the cases that migrate as the role of OWN_ROLE.
FAILS_ON_WARNING = {"index_row", "deferred_trigger", "statement_timeout", "event_trigger"}
AS_OWN_ROLE = {"read_only", "own_role", "owner", "schema_privilege", "pgcrypto"}

# name: (check, object, severity, start, SQL)
CASES = {
    "reschedule": ("orphans", "task_reschedule", "critical", "2.11.2",
        f"INSERT INTO task_reschedule ({TI}, try_number, start_date, end_date, duration, reschedule_date)"
        f" VALUES ({LOST}, 1, {ADDED}, 1, now())"),
    "history": ("orphans", "task_instance_history", "critical", "2.11.2",
        f"INSERT INTO task_instance_history ({TI}, try_number, pool, pool_slots) VALUES ({LOST}, 1, 'p', 1)"),
    "xcom_orphan": ("orphans", "xcom", "critical", "2.11.2",
        f"INSERT INTO xcom (dag_run_id, {TI}, key, value, timestamp) VALUES (1, {LOST}, 'k', '1', now())"),
    "rendered": ("orphans", "rendered_task_instance_fields", "critical", "2.11.2",
        f"INSERT INTO rendered_task_instance_fields ({TI}, rendered_fields) VALUES ({LOST}, '{{}}')"),
    "task_map": ("orphans", "task_map", "critical", "2.11.2",
        f"INSERT INTO task_map ({TI}, length) VALUES ({LOST}, 1)"),
    "task_fail": ("orphans", "task_fail", "critical", "2.11.2",
        f"INSERT INTO task_fail ({TI}) VALUES ({LOST})"),
    "task_note": ("orphans", "task_instance_note", "critical", "2.11.2",
        f"INSERT INTO task_instance_note ({TI}, content, created_at, updated_at) VALUES ({LOST}, 'x', {ADDED})"),
    "run_note": ("orphans", "dag_run_note", "warning", "2.11.2",
        f"INSERT INTO dag_run_note (dag_run_id, content, created_at, updated_at) VALUES (99, 'x', {ADDED})"),
    "alias_dataset": ("orphans", "dataset_alias_dataset", "critical", "2.11.2",
        "INSERT INTO dataset_alias_dataset (alias_id, dataset_id) VALUES (98, 99)"),
    "alias_event": ("orphans", "dataset_alias_dataset_event", "critical", "2.11.2",
        "INSERT INTO dataset_alias_dataset_event (alias_id, event_id) VALUES (98, 99)"),
    "schedule_alias": ("orphans", "dag_schedule_dataset_alias_reference", "critical", "2.11.2",
        f"INSERT INTO dag_schedule_dataset_alias_reference VALUES (98, 'gone', {ADDED})"),
    "schedule_dataset": ("orphans", "dag_schedule_dataset_reference", "critical", "2.11.2",
        f"INSERT INTO dag_schedule_dataset_reference VALUES (98, 'gone', {ADDED})"),
    "outlet": ("orphans", "task_outlet_dataset_reference", "critical", "2.11.2",
        f"INSERT INTO task_outlet_dataset_reference VALUES (98, 'gone', 't', {ADDED})"),
    "queue": ("orphans", "dataset_dag_run_queue", "critical", "2.11.2",
        "INSERT INTO dataset_dag_run_queue VALUES (98, 'gone', now())"),
    "run_event": ("orphans", "dagrun_dataset_event", "critical", "2.11.2",
        "INSERT INTO dagrun_dataset_event VALUES (98, 99)"),
    "long_uri": ("long_values", "dataset", "critical", "2.11.2",
        f"INSERT INTO dataset (uri, extra, created_at, updated_at) VALUES (repeat('x', 1501), '{{}}', {ADDED})"),
    "index_row": ("long_values", "dataset", "warning", "2.11.2",
        "INSERT INTO dataset (uri, extra, created_at, updated_at) SELECT string_agg(md5(g::text), ''),"
        f" '{{}}', {ADDED} FROM generate_series(1, 45) g"),
    "long_alias": ("long_values", "dataset_alias", "critical", "2.11.2",
        "INSERT INTO dataset_alias (name) VALUES (repeat('x', 1501))"),
    "xcom_text": ("xcom_values", "xcom", "critical", "2.11.2", xcom("'no json'")),
    "xcom_empty": ("xcom_values", "xcom", "critical", "2.11.2", xcom("''")),
    "xcom_utf8": ("xcom_values", "xcom", "critical", "2.11.2", xcom("'\\xffff'")),
    "xcom_surrogate": ("xcom_values", "xcom", "critical", "2.11.2", xcom("convert_to($$\"\\ud800\"$$, 'UTF8')")),
    "xcom_nan": ("xcom_values", "xcom", "warning", "2.11.2",
        xcom("convert_to('{\"a\": [NaN, -Infinity], \"b\": \"NaN\"}', 'UTF8')")),
    "xcom_nul": ("xcom_values", "xcom", "warning", "2.11.2",
        xcom("convert_to($$[\"a\\u0000b\", \"\\\\u0000\"]$$, 'UTF8')")),
    "xcom_pickled": ("xcom_values", "xcom", "info", "2.11.2", xcom("'\\x80054b012e'")),
    "xcom_archive": ("xcom_archive", "xcom", "critical", "2.11.2",
        "CREATE TABLE _xcom_archive (dag_run_id int NOT NULL, task_id varchar(250) NOT NULL, map_index int NOT NULL,"
        " key varchar(512) NOT NULL, dag_id varchar(250) NOT NULL, run_id varchar(250) NOT NULL, value bytea,"
        " timestamp timestamptz NOT NULL, CONSTRAINT _xcom_archive_pkey PRIMARY KEY (dag_run_id, task_id, map_index,"
        " key)); " + xcom("'\\x80054b012e'") +
        "INSERT INTO _xcom_archive SELECT dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp FROM xcom"),
    "conf_surrogate": ("dag_run_conf", "dag_run", "critical", "2.11.2", conf({"a": "\ud800"})),
    "conf_nan": ("dag_run_conf", "dag_run", "warning", "2.11.2", conf({"a": float("nan")})),
    "conf_nul": ("dag_run_conf", "dag_run", "warning", "2.11.2", conf({"a": "b\0c"})),
    "conf_lost": ("dag_run_conf", "dag_run", "warning", "2.11.2", conf({"a": {1, 2}})),
    "user_role": ("fab_orphans", "ab_user_role", "critical", "2.11.2",
        "INSERT INTO ab_user_role (id, user_id, role_id) VALUES (103, 999, 101), (104, 101, 999)"),
    "permission_role": ("fab_orphans", "ab_permission_view_role", "critical", "2.11.2",
        "INSERT INTO ab_permission_view_role (id, permission_view_id, role_id) VALUES (103, 999, 101), (104, 101, 999)"),
    "permission_null": ("fab_nulls", "ab_permission_view", "critical", "2.11.2",
        "INSERT INTO ab_permission_view (id, permission_id, view_menu_id) VALUES (102, NULL, 101), (103, 101, NULL);"
        "INSERT INTO ab_permission_view_role (id, permission_view_id, role_id) VALUES (103, 102, 101)"),
    "username_case": ("fab_duplicates", "ab_user", "critical", "2.11.2",
        "DROP INDEX idx_ab_user_username; INSERT INTO ab_user (id, first_name, last_name, username, email)"
        " VALUES (105, 'f', 'l', 'USER101', '105@x')"),
    "register_case": ("fab_duplicates", "ab_register_user", "critical", "2.11.2",
        "DROP INDEX idx_ab_register_user_username; INSERT INTO ab_register_user (first_name, last_name, username, email)"
        " VALUES ('f', 'l', 'a', 'a@x'), ('f', 'l', 'A', 'b@x')"),
    "register_email": ("fab_duplicates", "ab_register_user", "critical", "2.11.2",
        "INSERT INTO ab_register_user (first_name, last_name, username, email)"
        " VALUES ('f', 'l', 'a', 'a@x'), ('f', 'l', 'b', 'a@x')"),
    "user_role_null": ("fab_nulls", "ab_user_role", "warning", "2.11.2",
        "INSERT INTO ab_user_role (id, user_id, role_id) VALUES (103, NULL, 101), (104, NULL, 101)"),
    "ti_version": ("orphans", "task_instance", "critical", "3.0.6",
        "UPDATE task_instance SET dag_version_id = '00000000-0000-0000-0000-000000000001' WHERE run_id = 'r1'"),
    "bundle": ("orphans", "dag", "critical", "3.0.6", "UPDATE dag SET bundle_name = 'gone'"),
    "serialized_dag": ("json_values", "serialized_dag", "critical", "3.0.6",
        "INSERT INTO dag_version (id, version_number, dag_id, created_at, last_updated)"
        f" VALUES (gen_random_uuid(), 1, 'd', {ADDED}); INSERT INTO serialized_dag"
        " (id, dag_id, data, created_at, last_updated, dag_hash, dag_version_id) SELECT gen_random_uuid(), 'd',"
        f" $${{\"a\": \"\\u0000\"}}$$, {ADDED}, 'h', id FROM dag_version"),
    "team": ("teams", "slot_pool", "critical", "3.1.8",
        "INSERT INTO team (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'blue');"
        "UPDATE slot_pool SET team_id = '00000000-0000-0000-0000-000000000001'"),
    "bundle_team": ("teams", "dag_bundle_team", "critical", "3.1.8",
        "INSERT INTO team (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'blue');"
        "INSERT INTO dag_bundle_team VALUES ('dags-folder', '00000000-0000-0000-0000-000000000001')"),
}

CASES |= {
    "views": ("dependent_views", "%", "critical", "2.11.2",
        EACH_COLUMN.format("CREATE VIEW lab.v%s AS SELECT %I FROM public.%I", "r.n, r.attname, r.relname")),
    "primary_key_view": ("dependent_views", "VIEW lab.tasks", "warning", "2.11.2",
        f"CREATE VIEW lab.tasks AS SELECT {TI}, state FROM task_instance GROUP BY {TI}"),
    "triggers": ("foreign_triggers", "%", "critical", "2.11.2",
        EACH_COLUMN.format("CREATE TRIGGER t%s AFTER UPDATE OF %I ON public.%I FOR EACH ROW"
                           " EXECUTE FUNCTION lab.nothing()", "r.n, r.attname, r.relname")),
    "deferred_trigger": ("deferred_triggers", "TRIGGER late ON task_instance", "warning", "2.11.2",
        "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON task_instance DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION lab.nothing()"),
    "publications": ("publications", "%", "critical", "2.11.2",
        EACH_COLUMN.format("CREATE PUBLICATION p%s FOR TABLE public.%I (%I) WITH (publish = ''insert'')",
                           "r.n, r.relname, r.attname")),
    "column_list": ("replica_identity", "PUBLICATION listed", "critical", "2.11.2",
        f"CREATE PUBLICATION listed FOR TABLE task_instance ({TI}, state)"),
    "row_filter": ("replica_identity", "PUBLICATION filtered", "critical", "2.11.2",
        "CREATE PUBLICATION filtered FOR TABLE task_instance WHERE (dag_id <> 'secret')"),
    "named_identity": ("replica_identity", "PUBLICATION everything", "critical", "2.11.2",
        "CREATE PUBLICATION everything FOR ALL TABLES;"
        " ALTER TABLE task_instance REPLICA IDENTITY USING INDEX task_instance_pkey"),
    "published": ("replica_identity", "", "ok", "2.11.2",
        "CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION listed FOR TABLE dag_run (id, state), job (id);"
        f" CREATE PUBLICATION inserts FOR TABLE task_instance ({TI}) WITH (publish = 'insert')"),
    "taken_index": ("taken_names", "INDEX idx_dag_run_run_after", "critical", "2.11.2",
        "CREATE INDEX idx_dag_run_run_after ON dag_run (start_date)"),
    "taken_table": ("taken_names", "TABLE team", "critical", "2.11.2", "CREATE TABLE team (name text)"),
    "taken_view": ("taken_names", "VIEW asset", "critical", "2.11.2", "CREATE VIEW asset AS SELECT 1 AS id"),
    "taken_type": ("taken_names", "TYPE deadline", "critical", "2.11.2", "CREATE TYPE deadline AS ENUM ('soon')"),
    "taken_column": ("taken_names", "COLUMN task_instance.id", "critical", "2.11.2", "ALTER TABLE task_instance ADD id uuid"),
    "taken_new_name": ("taken_names", "COLUMN dataset_event.asset_id", "critical", "2.11.2",
        "ALTER TABLE dataset_event ADD asset_id integer"),
    "foreign_key": ("foreign_keys", "CONSTRAINT of_task ON lab.comment", "warning", "2.11.2",
        "CREATE TABLE lab.comment (dag_id text, task_id text, run_id text, map_index int, CONSTRAINT of_task"
        f" FOREIGN KEY ({TI}) REFERENCES task_instance)"),
    "foreign_key_altered": ("foreign_keys", "CONSTRAINT of_team ON lab.member", "critical", "3.1.8",
        "CREATE TABLE lab.member (team uuid CONSTRAINT of_team REFERENCES team (id))"),
    "foreign_key_index": ("foreign_keys", "CONSTRAINT of_uri ON lab.use", "critical", "2.11.2",
        "CREATE TABLE lab.use (uri text CONSTRAINT of_uri REFERENCES dataset (uri))"),
    "foreign_key_left": ("foreign_keys", "CONSTRAINT of_run ON lab.label", "info", "2.11.2",
        "CREATE TABLE lab.label (run integer CONSTRAINT of_run REFERENCES dag_run, label text)"),
    "policy": ("dependent_objects", "policy external on table public.dag_run", "critical", "2.11.2",
        "CREATE POLICY external ON dag_run USING (external_trigger)"),
    "function": ("dependent_objects", "function lab.f(integer)", "critical", "2.11.2",
        "CREATE FUNCTION lab.f(integer) RETURNS bytea BEGIN ATOMIC SELECT conf FROM public.dag_run WHERE id = $1; END"),
    "generated_column": ("dependent_expressions", "COLUMN size ON public.xcom", "critical", "2.11.2",
        "ALTER TABLE xcom ADD size integer GENERATED ALWAYS AS (length(value)) STORED"),
    "generated_dropped": ("dependent_expressions", "COLUMN has_conf ON public.dag_run", "critical", "2.11.2",
        "ALTER TABLE dag_run ADD has_conf boolean GENERATED ALWAYS AS (conf IS NOT NULL) STORED"),
    "expression_index": ("dependent_expressions", "INDEX public.of_values", "critical", "2.11.2",
        "CREATE INDEX of_values ON xcom (md5(value))"),
    "partial_index": ("dependent_expressions", "INDEX public.of_users", "critical", "2.11.2",
        "CREATE INDEX of_users ON dag_run_note (created_at) WHERE user_id > 0"),
    "statistics": ("dependent_expressions", "STATISTICS lab.lengths", "critical", "2.11.2",
        "CREATE STATISTICS lab.lengths ON length(value), key FROM xcom"),
    "check_constraint": ("dependent_expressions", "CONSTRAINT small ON public.xcom", "critical", "2.11.2",
        "ALTER TABLE xcom ADD CONSTRAINT small CHECK (length(value) < 1000000)"),
    "harmless_indexes": ("dependent_expressions", "", "ok", "2.11.2",
        "CREATE INDEX of_executors ON task_instance (lower(external_executor_id)) WHERE external_executor_id <> '';"
        " CREATE INDEX of_confs ON dag_run (length(conf))"),
    "row_type": ("dependent_objects", "table lab.kept", "critical", "2.11.2",
        "CREATE TABLE lab.kept AS SELECT x FROM xcom x"),
    "row_type_dropped": ("dependent_objects", "function lab.of_fail(public.task_fail)", "critical", "2.11.2",
        "CREATE FUNCTION lab.of_fail(task_fail) RETURNS integer LANGUAGE sql RETURN 1"),
    "row_type_left": ("dependent_objects", "function lab.of_xcom(public.xcom)", "info", "2.11.2",
        "CREATE FUNCTION lab.of_xcom(xcom) RETURNS integer LANGUAGE sql RETURN 1"),
    "fab_key_missing": ("needed_names", "FOREIGN KEY ab_user_role_user_id_fkey ON ab_user_role", "critical", "2.11.2",
        "ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_user_id_fkey"),
    "fab_key_missing_3": ("needed_names", "FOREIGN KEY ab_permission_view_role_role_id_fkey ON ab_permission_view_role",
        "critical", "3.1.8", "ALTER TABLE ab_permission_view_role DROP CONSTRAINT ab_permission_view_role_role_id_fkey"),
    "fab_key_twice": ("repeated_keys", "FOREIGN KEY a_pvr_role_fkey ON ab_permission_view_role", "critical", "2.11.2",
        "ALTER TABLE ab_permission_view_role ADD CONSTRAINT a_pvr_role_fkey FOREIGN KEY (role_id) REFERENCES ab_role (id)"),
    "fab_key_renamed": ("needed_names", "", "ok", "2.11.2",
        "ALTER TABLE ab_user_role RENAME CONSTRAINT ab_user_role_user_id_fkey TO mine"),
    "key_renamed": ("needed_names", "CONSTRAINT serialized_dag_pkey ON serialized_dag", "critical", "2.11.2",
        "ALTER TABLE serialized_dag RENAME CONSTRAINT serialized_dag_pkey TO serialized_dag_pk"),
    # As pg_restore leaves a database with orphans: fix_sql of the names first, then of the rows.
    "restored": ("needed_names", "FOREIGN KEY %", "critical", "2.11.2",
        "ALTER TABLE task_reschedule DROP CONSTRAINT task_reschedule_dr_fkey, DROP CONSTRAINT task_reschedule_ti_fkey;"
        "ALTER TABLE task_instance_note DROP CONSTRAINT task_instance_note_ti_fkey;"
        "ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_role_id_fkey"),
    "index_missing": ("needed_names", "INDEX idx_log_dag ON log", "critical", "2.11.2", "DROP INDEX idx_log_dag"),
    "index_used": ("needed_names", "CONSTRAINT dag_run_dag_id_execution_date_key ON dag_run", "critical", "2.11.2",
        "ALTER TABLE dag_run DROP CONSTRAINT dag_run_dag_id_execution_date_key;"
        " CREATE UNIQUE INDEX dag_run_dag_id_execution_date_key ON dag_run (dag_id, execution_date)"),
    "constraint_taken": ("taken_names", "CONSTRAINT dag_run_backfill_id_fkey ON dag_run", "critical", "2.11.2",
        "ALTER TABLE dag_run ADD CONSTRAINT dag_run_backfill_id_fkey CHECK (true)"),
    "fab_name_taken": ("taken_names", "SEQUENCE ab_register_user_email_uq", "critical", "3.0.6",
        "CREATE SEQUENCE ab_register_user_email_uq"),
    "index_made_ahead": ("taken_names", "", "ok", "2.11.2", "CREATE INDEX idx_role_id ON ab_permission_view_role (role_id)"),
    "two_revisions": ("revision", "alembic_version", "critical", "2.11.2",
        "INSERT INTO alembic_version VALUES ('fe199e1abd77')"),
    "no_revision": ("revision", "alembic_version", "critical", "2.11.2", "DELETE FROM alembic_version"),
    "unknown_revision": ("revision", "alembic_version", "critical", "2.11.2",
        "UPDATE alembic_version SET version_num = 'ffffffffffff'"),
    "statement_timeout": ("timeouts", "database %", "warning", "2.11.2",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 1', current_database()); END $$"),
    "read_only": ("read_only", "lab_migrator", "critical", "2.11.2", OWN_ROLE +
        "DO $$ BEGIN EXECUTE format('ALTER ROLE lab_migrator IN DATABASE %I SET default_transaction_read_only = on',"
        " current_database()); END $$"),
    "event_trigger": ("event_triggers", "EVENT TRIGGER refuse", "warning", "2.11.2",
        "CREATE FUNCTION lab.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';"
        " CREATE EVENT TRIGGER refuse ON table_rewrite EXECUTE FUNCTION lab.refuse()"),
    "own_role": ("owners", "", "ok", "2.11.2", OWN_ROLE),
    "owner": ("owners", "dag_run", "critical", "2.11.2", OWN_ROLE + "ALTER TABLE dag_run OWNER TO CURRENT_USER"),
    "schema_privilege": ("schema_privileges", "public", "critical", "2.11.2",
        OWN_ROLE + "REVOKE CREATE ON SCHEMA public FROM PUBLIC, lab_migrator"),
    "pgcrypto": ("extensions", "pgcrypto", "critical", "2.11.2", OWN_ROLE + "CREATE EXTENSION pgcrypto SCHEMA lab"),
}


def connect(database: str):
    connection = psycopg2.connect(dbname=database, options="-c statement_timeout=0")
    connection.autocommit = True
    return connection


def execute(database: str, *statements: str) -> None:
    connection = connect(database)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def create(database: str, template: str = "template0") -> None:
    execute("postgres", f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database} TEMPLATE {template}")


def migrate(database: str, python: str, arguments: list[str] = [], user: str | None = None) -> str:
    """Run "airflow db migrate". Returns "" or the last lines of the error."""
    environment = dict(os.environ)
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = (
        f"postgresql+psycopg2://{user or os.environ['PGUSER']}@127.0.0.1:{os.environ['PGPORT']}/{database}"
    )
    environment["AIRFLOW_HOME"] += "-" + database
    run = subprocess.run(
        [str(Path(python).parent / "airflow"), "db", "migrate", *arguments],
        env=environment, capture_output=True, text=True, timeout=600,
    )
    if run.returncode == 0:
        return ""
    output = run.stdout + run.stderr
    errors = [line for line in output.splitlines() if "psycopg2.errors" in line]
    return errors[0] if errors else output[-400:] or "failed"


def airflow(database: str, python: str, *arguments: str) -> int:
    """Exit status of a command of Airflow."""
    environment = dict(os.environ)
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = (
        f"postgresql+psycopg2://{os.environ['PGUSER']}@127.0.0.1:{os.environ['PGPORT']}/{database}"
    )
    environment["AIRFLOW_HOME"] += "-" + database
    command = [str(Path(python).parent / "airflow"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=600).returncode


def value(database: str, sql: str):
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    connection.close()
    return row and row[0]


def forgotten_lock(template: str) -> str:
    """A session in a pool has kept the advisory lock: the migration ends, and begins when the session has ended."""
    database = "preflight_lock"
    create(database, template)
    forgotten = connect(database)
    forgotten.cursor().execute("SELECT pg_advisory_lock(1)")
    problems = []
    fix = value(database, "SELECT fix_sql FROM airflow_pin.preflight() WHERE check_name = 'migration_lock' AND severity = 'critical'")
    if not fix or value(database, "SELECT airflow_pin.is_ready()"):
        problems.append(f"fix_sql is {fix}")
    verdict = value(database, "SELECT verdict || ': ' || coalesce(end_sql, '') FROM airflow_pin.migration_status()")
    if f"stalled: {fix}" != f"{verdict};":
        problems.append(f"migration_status() says {verdict}")
    # Of a role that could not migrate, it is told all the same.
    execute(database, fix or "SELECT", "DROP ROLE IF EXISTS lab_other", "CREATE ROLE lab_other LOGIN")
    other = psycopg2.connect(dbname=database, user="lab_other")
    other.autocommit = True
    other.cursor().execute("SELECT pg_advisory_lock(1)")
    fix = value(database, "SELECT fix_sql FROM airflow_pin.preflight() WHERE check_name = 'migration_lock' AND severity = 'critical'")
    verdict = value(database, "SELECT verdict || ': ' || coalesce(end_sql, '') FROM airflow_pin.migration_status()")
    if f"not running: {fix}" != f"{verdict};":
        problems.append(f"of another role, migration_status() says {verdict}, fix_sql {fix}")
    error = migrate(database, TO)
    if "LockNotAvailable" not in error:
        problems.append(f"the migration: {error or 'passed'}")
    print(f"     forgotten_lock: {error}", flush=True)
    execute(database, fix or "SELECT")
    error = migrate(database, TO)
    if error:
        problems.append(f"after fix_sql the migration failed: {error}")
    execute("postgres", f"DROP DATABASE {database} WITH (FORCE)")
    return "; ".join(problems)


def pending_callbacks(template: str) -> str:
    """The DAG processor of 3.1 ends on a callback of Airflow 2."""
    bad, mended = "preflight_callbacks_bad", "preflight_callbacks_mended"
    create(bad, template)
    execute(bad, """INSERT INTO callback_request (created_at, priority_weight, callback_data, callback_type) VALUES (now(), 1,
        to_json('{"full_filepath": "/d/x.py", "dag_id": "d", "run_id": "r", "processor_subdir": "/d",'
                ' "is_failure_callback": true, "msg": null}'::text), 'DagCallbackRequest')""")
    create(mended, bad)
    fix = value(mended, "SELECT fix_sql FROM airflow_pin.preflight('3.1.8') WHERE check_name = 'callbacks' AND severity = 'critical'")
    execute(mended, fix or "SELECT")
    problems = [] if fix else ["nothing was found"]
    for database, status in ((bad, 1), (mended, 0)):
        error = migrate(database, BETWEEN)
        ended = airflow(database, BETWEEN, "dag-processor", "--num-runs", "1")
        print(f"     pending_callbacks: {error or 'migrates'}, then the DAG processor ends with {ended}", flush=True)
        if error or ended != status:
            problems.append(f"{database}: {error}, the DAG processor ended with {ended}")
        execute("postgres", f"DROP DATABASE {database}")
    return "; ".join(problems)


def hints_of_fab(template: str) -> str:
    """What postflight() proposes makes FAB's tables, and its migration."""
    database = "preflight_fab"
    create(database, template)
    execute(database, "ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_user_id_fkey")
    problems = [] if migrate(database, TO) else ["the migration passed"]
    execute(database, "SELECT airflow_pin.baseline('b')",
            "ALTER TABLE ab_user_role ADD CONSTRAINT ab_user_role_user_id_fkey FOREIGN KEY (user_id) REFERENCES ab_user (id)")
    for check, command in (("revision", "fab-db migrate"), ("fab_tables", "roles list")):
        say = f"SELECT hint FROM airflow_pin.postflight('b') WHERE check_name = '{check}' AND severity = 'warning' LIMIT 1"
        hint = value(database, say) or ""
        if f'"airflow {command}"' not in hint:
            problems.append(f"{check}: the hint is {hint}")
        airflow(database, TO, *command.split())
        if left := value(database, say):
            problems.append(f"{check}: after {command} it still says {left}")
    execute("postgres", f"DROP DATABASE {database}")
    return "; ".join(problems)


# What is more than a change of the database: each with the metadata of 2.11.2.
STORIES = {"forgotten_lock": forgotten_lock, "pending_callbacks": pending_callbacks, "hints_of_fab": hints_of_fab}


def templates(needed: set[str]) -> dict[str, str]:
    names = {}
    for version in ["2.11.2", *sorted(needed - {"2.11.2"})]:
        name = names[version] = "preflight_" + version.replace(".", "_")
        python, arguments = STARTS[version]
        create(name, names["2.11.2"] if version != "2.11.2" else "template0")
        error = migrate(name, python, arguments)
        if error:
            sys.exit(f"no metadata of {version}: {error}")
        if version == "2.11.2":
            execute(name, BASE_ROWS, "CREATE EXTENSION airflow_pin", "CREATE SCHEMA lab",
                    "CREATE FUNCTION lab.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    return names


def findings(database: str, check: str, thing: str) -> list[tuple[str, str]]:
    """Severity and fix_sql of what a check says of a thing, which may be a table with some columns."""
    connection = connect(database)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT severity, fix_sql FROM airflow_pin.preflight('3.3.2')"
            " WHERE check_name = %s AND (coalesce(object, '') LIKE %s OR object LIKE %s || ' (%%')",
            (check, thing, thing),
        )
        rows = cursor.fetchall()
    connection.close()
    return rows


def run_case(name: str, template: str) -> str:
    """Returns "" when all is as it should be, else what is not."""
    check, thing, severity, _, sql = CASES[name]
    bad, mended = f"preflight_{name}_bad", f"preflight_{name}_mended"
    user = "lab_migrator" if name in AS_OWN_ROLE else None
    problems = []

    create(bad, template)
    execute(bad, f"SET session_replication_role = replica; {sql}")
    create(mended, bad)
    found = findings(bad, check, thing)
    if not found or severity not in {row[0] for row in found} or (len(found) < 9 and len({row[0] for row in found}) > 1):
        problems.append(f"found {found} instead of {severity}")
    error = migrate(bad, TO, user=user)
    if bool(error) != (severity == "critical" or name in FAILS_ON_WARNING):
        problems.append("the migration " + (f"failed: {error}" if error else "passed"))
    print(f"     {name}: {error or 'migrates'}", flush=True)

    fixes = [fix for level, fix in found if fix and (level == severity)]
    if fixes:
        execute(mended, *fixes)
        left = [row for row in findings(mended, check, thing) if row[0] == severity and severity != "info"]
        if left and severity != "ok":
            problems.append(f"after fix_sql still {left}")
        error = migrate(mended, TO, user=user)
        if error:
            problems.append(f"after fix_sql the migration failed: {error}")
    for database in (bad, mended):
        execute("postgres", f"DROP DATABASE {database}")
    return "; ".join(problems)


def main() -> int:
    wanted = sys.argv[4:] or [*CASES, *STORIES]
    names = templates({CASES[name][3] for name in wanted if name in CASES})

    def run(name: str) -> str:
        return STORIES[name](names["2.11.2"]) if name in STORIES else run_case(name, names[CASES[name][3]])

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: (name, run(name)), wanted))
    for name, problem in results:
        print(f"{'not ok' if problem else 'ok'} - {name}{': ' + problem if problem else ''}")
    failed = sum(1 for _, problem in results if problem)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
