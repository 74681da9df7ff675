/*
 * check_autovacuum.c
 *		Check: does VACUUM work on Airflow's tables now, or is it about to have to?
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "preflight/checks.h"
#include "util/query.h"

#include "catalog/pg_type.h"

/*
 * An ordinary autovacuum gives way to a migration after deadlock_timeout; VACUUM by hand and an
 * autovacuum against wraparound do not.
 */
static const char *const running_sql =
	"SELECT c.relname::text, format('pid %s', p.pid), a.query IS NULL"
	"  OR a.backend_type <> 'autovacuum worker' OR a.query LIKE '%(to prevent wraparound)',"
	" a.backend_type, p.phase, CASE WHEN p.heap_blks_total > 0"
	"  THEN round(100.0 * p.heap_blks_scanned / p.heap_blks_total) || ' %' END,"
	" format('SELECT pg_cancel_backend(%s);', p.pid)"
	" FROM pg_stat_progress_vacuum p JOIN pg_class c ON c.oid = p.relid OR c.reltoastrelid = "
	"p.relid"
	" LEFT JOIN pg_stat_activity a ON a.pid = p.pid"
	" WHERE p.datname = current_database() AND c.oid = ANY ($1) ORDER BY 1";

/* Tables that autovacuum is going to vacuum against wraparound soon, whatever else goes on. */
static const char *const near_sql =
	"SELECT c.relname::text, v.age::text, round(0.8 * v.max)::text, v.of,"
	" format('VACUUM (FREEZE) %I.%I;', n.nspname, c.relname)"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_class t ON t.oid = c.reltoastrelid,"
	" LATERAL (VALUES (greatest(age(c.relfrozenxid), age(t.relfrozenxid)), 'transactions',"
	"   current_setting('autovacuum_freeze_max_age')::int),"
	"  (greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)), 'multixacts',"
	"   current_setting('autovacuum_multixact_freeze_max_age')::int)) AS v (age, of, max)"
	" WHERE c.oid = ANY ($1) AND c.relkind = 'r' AND v.age > 0.8 * v.max ORDER BY v.age DESC, v.of";

static void
add_wraparound(FindingList *findings, uint64 row)
{
	Finding finding = {.check_name = "wraparound", .severity = SEVERITY_WARNING};

	finding.object = row_text(row, 1);
	finding.value = row_text(row, 2);
	finding.threshold = row_text(row, 3);
	finding.message =
		psprintf("the oldest row of %s is %s %s old: an autovacuum that does not give "
				 "way is about to begin",
				 finding.object, finding.value, row_text(row, 4));
	finding.hint = "VACUUM it before the migration.";
	finding.fix_sql = row_text(row, 5);
	findings_add(findings, &finding);
}

void
check_autovacuum(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	QueryArgs args = {0};
	Finding none = {.check_name = "autovacuum"};
	bool visible = sessions_visible(findings, none.check_name);
	uint64 found;

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(preflight->schema)));
	query_run(running_sql, &args, true, 0);
	found = SPI_processed;
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool stays = row_bool(row, 3);
		const char *type = row_text(row, 4);
		const char *phase = row_text(row, 5);
		Finding finding = {.check_name = "autovacuum"};

		finding.severity = stays ? SEVERITY_WARNING : SEVERITY_INFO;
		finding.object = row_text(row, 1);
		finding.value = row_text(row, 6);
		finding.message =
			psprintf("VACUUM of %s is going on: %s, %s, %s", finding.object, row_text(row, 2),
					 type ? type : "not visible what", phase ? phase : "phase not visible");
		finding.hint = stays ? "A migration waits until it is done: let it finish."
							 : "It gives way to a migration.";
		finding.fix_sql = stays ? NULL : row_text(row, 7);
		findings_add(findings, &finding);
	}
	query_run(near_sql, &args, true, 0);
	found += SPI_processed;
	for (uint64 row = 0; row < SPI_processed; row++)
		add_wraparound(findings, row);
	none.message = "no VACUUM of a table of Airflow is going on or about to have to";
	if (visible && found == 0)
		findings_add(findings, &none);
}
