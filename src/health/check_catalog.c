/*
 * check_catalog.c
 *		Checks of what PostgreSQL's own catalogs and settings tell: what hangs on Airflow's tables
 * and would make a migration's ALTER TABLE fail, what is broken, what would end or slow it.
 *
 * One row of the table below a check: a query over catalogs, which takes no lock on Airflow's
 * tables, with a row for each thing that is found: object, value, threshold, message, SQL that
 * would mend it.
 */
#include "checks.h"

#include "catalog/pg_type.h"

#include "airflow/catalog.h"
#include "health/relations.h"
#include "util/query.h"

typedef struct CatalogCheck
{
	const char *name;
	Severity severity;
	const char *sql; /* $1: the OIDs of Airflow's tables */
	const char *none;
	const char *hint;
} CatalogCheck;

static const CatalogCheck catalog_checks[] = {
	{"dependent_views", SEVERITY_WARNING,
	 "SELECT DISTINCT format('%I.%I', n.nspname, v.relname), t.relname::text, NULL,"
	 " format('%s %I.%I reads %s: ALTER COLUMN ... TYPE and DROP COLUMN of what it reads will "
	 "fail',"
	 "  CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, n.nspname, v.relname,"
	 "  t.relname),"
	 " format('DROP %s %I.%I;', CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,"
	 "  n.nspname, v.relname)"
	 " FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class"
	 " JOIN pg_namespace n ON n.oid = v.relnamespace JOIN pg_class t ON t.oid = d.refobjid"
	 " WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass"
	 " AND d.refobjid = ANY ($1) AND r.ev_class <> d.refobjid ORDER BY 1, 2",
	 "no view depends on a table of Airflow",
	 "Keep its definition, drop it, and make it again "
	 "after the migration."},
	{"foreign_triggers", SEVERITY_WARNING,
	 "SELECT t.relname::text, g.tgname::text, NULL, format('trigger %I on %s has a column list or a"
	 " WHEN clause: ALTER COLUMN ... TYPE and DROP COLUMN will fail', g.tgname, t.relname),"
	 " format('DROP TRIGGER %I ON %I.%I;', g.tgname, n.nspname, t.relname)"
	 " FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid"
	 " JOIN pg_namespace n ON n.oid = t.relnamespace WHERE g.tgrelid = ANY ($1)"
	 " AND NOT g.tgisinternal AND (g.tgqual IS NOT NULL OR array_length(g.tgattr::int2[], 1) > 0)"
	 " ORDER BY 1, 2",
	 "no trigger on a table of Airflow stands in the way",
	 "Drop it, and make it again after the migration."},
	{"publications", SEVERITY_WARNING,
	 "SELECT t.relname::text, p.pubname::text, NULL, format('publication %I has a column list or a"
	 " row filter on %s: changes of these columns will fail', p.pubname, t.relname),"
	 " format('ALTER PUBLICATION %I DROP TABLE %I.%I;', p.pubname, n.nspname, t.relname)"
	 " FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid"
	 " JOIN pg_class t ON t.oid = r.prrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
	 " WHERE r.prrelid = ANY ($1) AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)"
	 " ORDER BY 1, 2",
	 "no publication stands in the way",
	 "Take the table out, and add it again after the "
	 "migration."},
	{"invalid_indexes", SEVERITY_WARNING,
	 "SELECT i.relname::text, t.relname::text, NULL, format('index %s of %s is invalid: it is"
	 " written and not used', i.relname, t.relname),"
	 " format('REINDEX INDEX CONCURRENTLY %I.%I;', n.nspname, i.relname)"
	 " FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = "
	 "x.indrelid"
	 " JOIN pg_namespace n ON n.oid = i.relnamespace"
	 " WHERE x.indrelid = ANY ($1) AND NOT x.indisvalid ORDER BY 1",
	 "all indexes are valid", "It is what a CREATE INDEX CONCURRENTLY left that failed."},
	{"unvalidated_constraints", SEVERITY_WARNING,
	 "SELECT t.relname::text, k.conname::text, NULL, format('constraint %s of %s was never"
	 " validated: rows may break it', k.conname, t.relname),"
	 " format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', n.nspname, t.relname, k.conname)"
	 " FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid"
	 " JOIN pg_namespace n ON n.oid = t.relnamespace"
	 " WHERE k.conrelid = ANY ($1) AND NOT k.convalidated ORDER BY 1, 2",
	 "all constraints are validated", "bad_rows() and fab_report() tell which rows break it."},
	{"time_zone", SEVERITY_WARNING,
	 "SELECT NULL, current_setting('TimeZone'), 'UTC', format('TimeZone of this session is %s:"
	 " where the migrating session has it, too, a step rewrites task_instance',"
	 "  current_setting('TimeZone')), NULL"
	 " WHERE current_setting('TimeZone') NOT IN ('UTC', 'Etc/UTC', 'GMT') AND $1 IS NOT NULL",
	 "TimeZone of this session is UTC",
	 "Give the migrating role UTC: ALTER ROLE ... SET TimeZone "
	 "= 'UTC'."},
	{"timeouts", SEVERITY_WARNING,
	 "SELECT concat_ws(' ', CASE WHEN s.setdatabase > 0 THEN 'database '"
	 "  || (SELECT d.datname FROM pg_database d WHERE d.oid = s.setdatabase) END,"
	 "  CASE WHEN s.setrole > 0 THEN 'role ' || pg_get_userbyid(s.setrole) END), c.setting, NULL,"
	 " format('%s is set there: it would end a migration of more than that', c.setting), NULL"
	 " FROM pg_db_role_setting s, unnest(s.setconfig) c (setting)"
	 " WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT d.oid FROM pg_database d"
	 "  WHERE d.datname = current_database())) AND $1 IS NOT NULL"
	 " AND c.setting ~ '^(statement|lock|idle_in_transaction_session|idle_session|transaction)"
	 "_timeout=(?!0$)' ORDER BY 1, 2",
	 "no timeout is set for a role or this database",
	 "Where it is the migrating role's, set it to "
	 "0 for the migration."},
	{"connections", SEVERITY_WARNING,
	 "SELECT NULL, u.used::text, current_setting('max_connections'), format('%s of %s connections"
	 " are in use', u.used, current_setting('max_connections')), NULL"
	 " FROM (SELECT count(*) AS used FROM pg_stat_activity WHERE backend_type = 'client backend') u"
	 " WHERE u.used > 0.9 * current_setting('max_connections')::int AND $1 IS NOT NULL",
	 "connections are left", "Stop schedulers, API servers and workers before the migration."},
	{"replication_slots", SEVERITY_WARNING,
	 "SELECT s.slot_name::text, pg_size_pretty(w.behind), NULL, format('slot %s is not in use and"
	 " holds %s of WAL; a migration writes much more', s.slot_name, pg_size_pretty(w.behind)),"
	 " format('SELECT pg_drop_replication_slot(%L);', s.slot_name)"
	 " FROM pg_replication_slots s, LATERAL (SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery()"
	 "  THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn) AS behind) w"
	 " WHERE NOT s.active AND w.behind IS NOT NULL AND $1 IS NOT NULL ORDER BY 1",
	 "no unused replication slot holds WAL", "Bring its consumer back, or drop it."},
	{"archiver", SEVERITY_WARNING,
	 "SELECT NULL, failed_count::text, NULL, format('archiving WAL fails since %s: WAL stays until"
	 " it works', last_failed_time), NULL FROM pg_stat_archiver"
	 " WHERE last_failed_time > coalesce(last_archived_time, '-infinity') AND $1 IS NOT NULL",
	 "archiving WAL does not fail", "Mend archive_command before the migration fills the disk."},
};

static void
run_catalog_check(FindingList *findings, const CatalogCheck *check, Datum relations)
{
	QueryArgs args = {0};
	Finding none = {.check_name = check->name, .message = check->none};

	arg_datum(&args, OIDARRAYOID, relations);
	query_run(check->sql, &args, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Finding finding = {
			.check_name = check->name, .severity = check->severity, .hint = check->hint};

		finding.object = row_text(row, 1);
		finding.value = row_text(row, 2);
		finding.threshold = row_text(row, 3);
		finding.message = row_text(row, 4);
		finding.fix_sql = row_text(row, 5);
		findings_add(findings, &finding);
	}
	if (SPI_processed == 0)
		findings_add(findings, &none);
}

void
check_catalog(FindingList *findings)
{
	Datum relations = relation_oids(airflow_relations(airflow_schema()));

	for (int i = 0; i < (int) lengthof(catalog_checks); i++)
		run_catalog_check(findings, &catalog_checks[i], relations);
}
