/*
 * check_locks.c
 *		Checks: who is in the way of a migration's locks?
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "health/migration_lock.h"
#include "preflight/checks.h"
#include "util/query.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

/*
 * A row a session, or prepared transaction, that has locks on Airflow's tables and waits for
 * nobody: with severity, what it is, and who waits for it. Any of them would keep an ALTER TABLE
 * waiting, so what counts is whether it ends soon and by itself. The caller's own locks do not
 * count.
 */
static const char *const holders_sql =
	"WITH l AS (SELECT * FROM airflow_pin.locks() WHERE pid IS DISTINCT FROM pg_backend_pid()),"
	" waiters AS (SELECT root_blocker AS pid, count(DISTINCT pid) AS number FROM l"
	"  WHERE depth > 0 GROUP BY root_blocker)"
	" SELECT CASE WHEN state = 'prepared transaction' THEN 'prepared_transactions'"
	"   WHEN state LIKE 'idle in transaction%' THEN 'idle_in_transaction' ELSE 'lock_holders' END,"
	"  (state = 'prepared transaction' OR bool_or(mode = 'AccessExclusiveLock')"
	"   OR coalesce(max(number), 0) > 0"
	"   OR state LIKE 'idle in transaction%' AND max(xact_age) > interval '1 min') IS TRUE,"
	"  (state LIKE 'idle in transaction%' OR max(xact_age) > interval '5 min') IS TRUE,"
	"  CASE WHEN pid IS NULL THEN max(query)"
	"   ELSE format('pid %s (%s)', pid, coalesce(nullif(max(application_name), ''), max(usename), "
	"'no user'))"
	"   END, date_trunc('second', max(xact_age))::text, coalesce(state, 'state not visible'),"
	"  string_agg(DISTINCT relation, ', '), string_agg(DISTINCT mode, ', '),"
	"  coalesce(max(number), 0)::text, max(cancel_sql) || ';'"
	" FROM l LEFT JOIN waiters USING (pid)"
	" WHERE depth = 0 AND (query LIKE 'autovacuum:%') IS NOT TRUE"
	" GROUP BY pid, state, CASE WHEN pid IS NULL THEN query END ORDER BY 1, 4";

void
check_locks(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	Finding none = {.check_name = "lock_holders", .value = "0", .threshold = "0"};

	query_run(holders_sql, NULL, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Finding finding = {.check_name = row_text(row, 1)};
		const char *tables = row_text(row, 7);
		const char *modes = row_text(row, 8);

		finding.severity = row_bool(row, 2)	  ? SEVERITY_CRITICAL
						   : row_bool(row, 3) ? SEVERITY_WARNING
											  : SEVERITY_INFO;
		finding.object = row_text(row, 4);
		finding.value = row_text(row, 5);
		finding.message =
			psprintf("%s; holds %s; sessions waiting for it: %s", row_text(row, 6),
					 modes ? psprintf("%s on %s", modes, tables) : "no lock on a table of Airflow",
					 row_text(row, 9));
		finding.hint = "A migration waits for as long as this transaction lives, and every other "
					   "session behind it. Let it end, or end it.";
		finding.fix_sql = row_text(row, 10);
		findings_add(findings, &finding);
	}
	none.message = "no other session holds a lock on a table of Airflow";
	if (SPI_processed == 0)
		findings_add(findings, &none);
}

/* The lock that a migration begins with. */
void
check_migration_lock(const Preflight *preflight)
{
	List *holders = migration_lock_holders();
	ListCell *cell;

	foreach (cell, holders)
	{
		const LockHolder *holder = lfirst(cell);
		Finding finding = {.check_name = "migration_lock", .severity = SEVERITY_CRITICAL};

		finding.object = holder->name;
		finding.value = holder->state;
		finding.message =
			psprintf("%s, %s, holds advisory lock 1, which is Airflow's: \"airflow db "
					 "migrate\" ends with LockNotAvailable as long as it does",
					 holder->name, holder->state);
		finding.hint =
			holder->forgotten
				? "It does not migrate: a pool has kept the session, or its client was "
				  "killed. End it."
				: "If it migrates, airflow_pin.migration_status() shows what it does: let "
				  "it finish. If its client is gone, end it.";
		finding.fix_sql = holder->end_sql ? psprintf("%s;", holder->end_sql) : NULL;
		findings_add(preflight->findings, &finding);
	}
	if (holders == NIL)
		findings_add(preflight->findings,
					 &(Finding){.check_name = "migration_lock",
								.value = "0",
								.threshold = "0",
								.message = "nobody holds the advisory lock of a migration"});
}

/*
 * Old transactions that hold back VACUUM, by a snapshot or by an id of their own. Prepared ones with
 * locks on Airflow's tables are check_locks()'s.
 */
static const char *const long_sql =
	"SELECT format('pid %s (%s)', pid, coalesce(nullif(application_name, ''), usename)),"
	" xact_start, state, format('SELECT pg_terminate_backend(%s);', pid)"
	" FROM pg_stat_activity"
	" WHERE datname = current_database() AND backend_type = 'client backend'"
	" AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()"
	" UNION ALL SELECT format('PREPARE TRANSACTION %L', x.gid), x.prepared, 'prepared',"
	" format('ROLLBACK PREPARED %L;', x.gid) FROM pg_prepared_xacts x"
	" WHERE x.database = current_database() AND NOT EXISTS (SELECT FROM pg_locks i"
	"  JOIN pg_locks l USING (virtualtransaction) JOIN pg_database d ON d.oid = l.database"
	"  WHERE i.transactionid = x.transaction AND i.granted AND d.datname = x.database"
	"  AND l.relation = ANY ($1))";

/* Transactions that hold back VACUUM, and for which CREATE INDEX CONCURRENTLY waits. */
void
check_long_transactions(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	Finding finding = {.check_name = "long_transactions", .threshold = "1 hour"};
	bool visible = sessions_visible(findings, finding.check_name);
	QueryArgs args = {0};

	arg_datum(&args, OIDARRAYOID, relation_oids(airflow_relations(preflight->schema)));
	query_run(
		psprintf("SELECT object, date_trunc('second', clock_timestamp() - since)::text, state,"
				 " fix FROM (%s) t (object, since, state, fix)"
				 " WHERE since < clock_timestamp() - interval '1 hour' ORDER BY since",
				 long_sql),
		&args, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		finding.severity = SEVERITY_WARNING;
		finding.object = row_text(row, 1);
		finding.value = row_text(row, 2);
		finding.message = psprintf("a transaction (%s) holds back VACUUM", row_text(row, 3));
		finding.hint = "Let it end before the migration, or end it.";
		finding.fix_sql = row_text(row, 4);
		findings_add(findings, &finding);
	}
	finding.message = "no transaction is older than an hour";
	if (visible && SPI_processed == 0)
		findings_add(findings, &finding);
}
