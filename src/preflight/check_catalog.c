/*
 * check_catalog.c
 *		Checks of what PostgreSQL's own catalogs and settings tell: may the migration do what it
 *		does, what is broken, what would end or slow it.
 *
 * The migrating role is taken to be the owner of alembic_version: a migration alters tables, which
 * only their owner may.
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "airflow/role_setting.h"
#include "compat.h"
#include "health/catalog_check.h"
#include "health/health_check.h"
#include "preflight/checks.h"
#include "util/owner_scope.h"
#include "util/query.h"

#include "catalog/pg_type.h"

/*
 * $1: Airflow's tables; $2: the migrating role; $3: its search_path; $4: its TimeZone unless that is
 * UTC; $5: do its transactions begin read only?
 */
static const CatalogCheck catalog_checks[] = {
	{"owners",
	 "SELECT 'critical', c.relname::text, pg_get_userbyid(c.relowner)::text,"
	 " pg_get_userbyid($2)::text, format('%s belongs to role %s: ALTER TABLE by role %s, which owns"
	 " alembic_version, fails', c.relname, pg_get_userbyid(c.relowner), pg_get_userbyid($2)),"
	 " format('ALTER TABLE %I.%I OWNER TO %I;', n.nspname, c.relname, pg_get_userbyid($2))"
	 " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	 " WHERE c.oid = ANY ($1) AND c.relname !~ '^_airflow_(moved|deleted)__'"
	 " AND NOT pg_has_role($2, c.relowner, 'USAGE') ORDER BY 2",
	 "all tables belong to the role that owns alembic_version", "Migrate as the owner of all."},
	{"schema_privileges",
	 "SELECT 'critical', n.nspname::text, pg_get_userbyid($2)::text, 'CREATE',"
	 " format('role %s, which owns alembic_version, may not create tables in schema %I',"
	 "  pg_get_userbyid($2), n.nspname),"
	 " format('GRANT USAGE, CREATE ON SCHEMA %I TO %I;', n.nspname, pg_get_userbyid($2))"
	 " FROM pg_namespace n WHERE n.oid IN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = ANY "
	 "($1))"
	 " AND NOT (has_schema_privilege($2, n.oid, 'USAGE') AND has_schema_privilege($2, n.oid, "
	 "'CREATE'))",
	 "the role that owns alembic_version may create tables in its schema",
	 "Who owns the schema, or a superuser, grants it."},
	{"extensions",
	 "SELECT 'critical', 'pgcrypto', n.nspname::text, $3,"
	 " format('pgcrypto is in schema %I, which is not in the search_path of role %s: step 0042 does"
	 " not find gen_random_bytes()', n.nspname, pg_get_userbyid($2)),"
	 " format('ALTER EXTENSION pgcrypto SET SCHEMA %I;', s.nspname)"
	 " FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace, pg_class t"
	 " JOIN pg_namespace s ON s.oid = t.relnamespace"
	 " WHERE e.extname = 'pgcrypto' AND n.nspname <> 'pg_catalog'"
	 " AND t.oid = ANY ($1) AND t.relname = 'task_instance' AND NOT EXISTS (SELECT FROM "
	 "pg_attribute a"
	 "  WHERE a.attrelid = t.oid AND a.attname = 'id')"
	 " AND n.nspname <> ALL (SELECT CASE trim(p) WHEN '\"$user\"' THEN pg_get_userbyid($2)"
	 "  ELSE trim(trim(p), '\"')::name END FROM unnest(string_to_array($3, ',')) p)",
	 "no extension is in the way", "Or add the schema to the migrating role's search_path."},
	{"time_zone",
	 "SELECT 'warning', pg_get_userbyid($2)::text, $4, 'UTC', format('TimeZone of role %s is %s:"
	 " step 0051 rewrites task_instance where it is not UTC', pg_get_userbyid($2), $4),"
	 " format('ALTER ROLE %I IN DATABASE %I SET TimeZone = ''UTC'';', pg_get_userbyid($2),"
	 "  current_database()) FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid"
	 " WHERE t.oid = ANY ($1) AND t.relname = 'task_instance' AND a.attname = 'trigger_timeout'"
	 " AND a.atttypid = 'timestamp'::regtype AND $4 IS NOT NULL",
	 "the migrating role's TimeZone makes no step rewrite a table",
	 "The environment variable PGTZ of the migrating client goes before it."},
	{"timeouts",
	 "SELECT 'warning', s.whose, g.name || '=' || s.setting, '0', format('%s of a new session of"
	 " role %s is %s: it would end a migration of more than that', g.name, pg_get_userbyid($2),"
	 "  s.setting), format('ALTER ROLE %I IN DATABASE %I SET %I = 0;', pg_get_userbyid($2),"
	 "  current_database(), g.name)"
	 " FROM pg_settings g, LATERAL (SELECT * FROM (SELECT r.setrole = 0, r.setdatabase = 0,"
	 "   coalesce(nullif(concat_ws(' ',"
	 "    CASE WHEN r.setdatabase > 0 THEN 'database ' || quote_ident(current_database()) END,"
	 "    CASE WHEN r.setrole > 0 THEN 'role ' || quote_ident(pg_get_userbyid(r.setrole)) END),"
	 "    ''), 'all roles'), substr(c, strpos(c, '=') + 1)"
	 "   FROM pg_db_role_setting r, unnest(r.setconfig) c WHERE r.setrole IN (0, $2)"
	 "   AND r.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = "
	 "current_database()))"
	 "   AND lower(split_part(c, '=', 1)) = g.name"
	 "  UNION ALL SELECT true, NULL, 'server', g.reset_val || g.unit"
	 "   WHERE g.source IN ('configuration file', 'command line', 'environment variable')"
	 /* What this session has set hides what it began with. */
	 "    OR g.source = 'session' AND NOT EXISTS (SELECT FROM pg_db_role_setting r, "
	 "     unnest(r.setconfig) c"
	 "     WHERE r.setdatabase IN (0, (SELECT d.oid FROM pg_database d"
	 "      WHERE d.datname = current_database()))"
	 "     AND r.setrole IN (0, (SELECT u.oid FROM pg_roles u WHERE u.rolname = session_user))"
	 "     AND split_part(c, '=', 1) = g.name)) v (of_any, in_any, whose, setting)"
	 "  ORDER BY v.of_any, v.in_any LIMIT 1) s"
	 " WHERE g.name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',"
	 "  'idle_session_timeout', 'transaction_timeout') AND s.setting ~ '[1-9]' ORDER BY 2, 3",
	 "no timeout ends a session of the migrating role", "Set it to 0 for the migration."},
	{"read_only",
	 "SELECT 'critical', pg_get_userbyid($2)::text, 'on', 'off',"
	 " format('default_transaction_read_only is on for role %s: the migration may not write',"
	 "  pg_get_userbyid($2)), format('ALTER ROLE %I IN DATABASE %I"
	 " SET default_transaction_read_only = off;', pg_get_userbyid($2), current_database()) WHERE "
	 "$5",
	 "no setting makes the migrating role's transactions read only",
	 "It is set for that role or for the database."},
	{"event_triggers",
	 "SELECT 'warning', format('EVENT TRIGGER %I', e.evtname), e.evtfoid::regprocedure::text, NULL,"
	 " format('event trigger %I calls %s at %s of the migration''s commands: an error in it ends "
	 "the"
	 " migration', e.evtname, e.evtfoid::regprocedure, e.evtevent),"
	 " format('ALTER EVENT TRIGGER %I DISABLE;', e.evtname) FROM pg_event_trigger e"
	 " WHERE e.evtenabled IN ('O', 'A') AND e.evtevent IN"
	 " ('ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite')"
	 " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass"
	 "  AND d.objid = e.oid AND d.deptype = 'e') ORDER BY 2",
	 "no event trigger but those of extensions fires for DDL",
	 "Enable it again after the migration; leave it, if it was there in earlier ones."},
	{"replication_slots",
	 "SELECT 'warning', s.slot_name::text, pg_size_pretty(w.behind), CASE WHEN s.active THEN '1 "
	 "GB' END,"
	 " format('slot %s %s %s of WAL; a migration writes much more', s.slot_name, CASE WHEN s.active"
	 "  THEN 'lags behind and holds' ELSE 'is not in use and holds' END, pg_size_pretty(w.behind)),"
	 " CASE WHEN NOT s.active THEN format('SELECT pg_drop_replication_slot(%L);', s.slot_name) END"
	 " FROM pg_replication_slots s, LATERAL (SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery()"
	 "  THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn) AS behind) w"
	 " WHERE w.behind IS NOT NULL AND (NOT s.active OR w.behind > 1073741824) ORDER BY 2",
	 "no replication slot that is unused or lags holds WAL",
	 "Bring its consumer back and let it catch up, or drop it."},
	{"archiver",
	 "SELECT 'warning', NULL, failed_count::text, NULL, format('archiving WAL fails since %s: WAL"
	 " stays until it works', last_failed_time), NULL FROM pg_stat_archiver"
	 " WHERE last_failed_time > coalesce(last_archived_time, '-infinity')",
	 "archiving WAL does not fail", "Mend archive_command before the migration fills the disk."},
};

/* Of what only some roles see. */
static const CatalogCheck session_checks[] = {
	{"connections",
	 "SELECT 'warning', NULL, u.used::text, current_setting('max_connections'), format('%s of %s"
	 " connections are in use', u.used, current_setting('max_connections')), NULL"
	 " FROM (SELECT count(*) AS used FROM pg_stat_activity WHERE backend_type = 'client backend') u"
	 " WHERE u.used > 0.9 * current_setting('max_connections')::int",
	 "connections are left", "Stop schedulers, API servers and workers before the migration."},
};

static const CatalogCheck schema_checks[] = {
	{"invalid_indexes",
	 "SELECT CASE WHEN b.building THEN 'info' ELSE 'warning' END, i.relname::text, t.relname::text,"
	 " NULL, format('index %s of %s %s', i.relname, t.relname, CASE WHEN b.building THEN"
	 "  'is being built: a migration waits until that is done' WHEN i.relkind = 'I' THEN"
	 "  'is invalid: not every partition has its part of it' WHEN b.left_by_reindex THEN"
	 "  'is invalid: a REINDEX CONCURRENTLY that failed has left it'"
	 "  ELSE 'is invalid: it is written and not used' END),"
	 " CASE WHEN b.building OR i.relkind = 'I' THEN NULL WHEN b.left_by_reindex"
	 "  THEN format('DROP INDEX %I.%I;', n.nspname, i.relname)"
	 "  ELSE format('REINDEX INDEX CONCURRENTLY %I.%I;', n.nspname, i.relname) END"
	 " FROM pg_class t JOIN pg_index x ON x.indrelid IN (t.oid, t.reltoastrelid)"
	 " JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace,"
	 " LATERAL (SELECT i.relname ~ '_cc(new|old)[0-9]*$' AS left_by_reindex, EXISTS (SELECT"
	 "  FROM pg_locks l JOIN pg_stat_progress_create_index p USING (pid)"
	 "  WHERE l.relation = x.indrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted"
	 "  AND p.datname = current_database()) AS building) b"
	 " WHERE t.oid = ANY ($1) AND NOT x.indisvalid ORDER BY 2",
	 "all indexes are valid",
	 "It is what CREATE or REINDEX INDEX CONCURRENTLY leaves when it fails."},
	{"unvalidated_constraints",
	 "SELECT 'warning', t.relname::text, k.conname::text, NULL, format('constraint %s of %s was "
	 "never"
	 " validated: rows may break it', k.conname, t.relname),"
	 " format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', n.nspname, t.relname, k.conname)"
	 " FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid"
	 " JOIN pg_namespace n ON n.oid = t.relnamespace"
	 " WHERE k.conrelid = ANY ($1) AND NOT k.convalidated AND " CONSTRAINT_IS_ENFORCED
	 " ORDER BY 2, 3",
	 "all constraints are validated", "bad_rows() and fab_report() tell which rows break it."},
};

void
check_schema(const Preflight *preflight)
{
	QueryArgs args = {0};

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(preflight->schema)));
	run_catalog_checks(preflight->findings, schema_checks, lengthof(schema_checks), &args);
}

void
check_catalog(const Preflight *preflight)
{
	Oid role = relation_owner(airflow_relation_oid(preflight->schema, "alembic_version"));
	QueryArgs args = {0};
	const char *zone;

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(preflight->schema)));
	arg_datum(&args, OIDOID, ObjectIdGetDatum(role));
	arg_text(&args, role_search_path(role));
	zone = role_time_zone(role);
	arg_text(&args, time_zone_is_utc(zone) ? NULL : zone);
	arg_datum(&args, BOOLOID, BoolGetDatum(role_is_read_only(role)));
	run_catalog_checks(preflight->findings, catalog_checks, lengthof(catalog_checks), &args);
	if (sessions_visible(preflight->findings, session_checks[0].name))
		run_catalog_checks(preflight->findings, session_checks, lengthof(session_checks), &args);
}
