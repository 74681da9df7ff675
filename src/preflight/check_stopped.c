/*
 * check_stopped.c
 *		Checks: is Airflow stopped? DAGs paused, no component with a heartbeat, no session.
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "health/table_query.h"
#include "preflight/checks.h"
#include "util/query.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

/* DAGs whose files are gone count no more: is_active in Airflow 2, not is_stale in 3. */
static const char *
dags_sql(const char *schema)
{
	Oid dag = airflow_relation_oid(schema, "dag");
	bool airflow3 = OidIsValid(dag) && get_attnum(dag, "is_stale") != InvalidAttrNumber;

	return psprintf("SELECT count(*), count(*) FILTER (WHERE NOT is_paused) FROM %%s WHERE %s",
					airflow3 ? "NOT is_stale" : "is_active");
}

static void
check_paused(const Preflight *preflight)
{
	Finding finding = {.check_name = "paused_dags", .threshold = "0"};
	int64 active;

	if (!query_airflow_table(preflight->findings, preflight->schema, "paused_dags", "dag",
							 dags_sql(preflight->schema)))
		return;
	active = row_bigint(0, 2);
	finding.severity = active > 0 ? SEVERITY_WARNING : SEVERITY_OK;
	finding.value = psprintf(INT64_FORMAT, active);
	finding.message =
		psprintf(INT64_FORMAT " of " INT64_FORMAT " DAGs are not paused", active, row_bigint(0, 1));
	if (active > 0)
	{
		finding.hint = "What they start is in flight when the migration begins, or runs at once "
					   "after it. Pause them; airflow_pin.resume() brings them back.";
		finding.fix_sql = "SELECT * FROM airflow_pin.pause_all('upgrade');";
	}
	findings_add(preflight->findings, &finding);
}

static const char *const heartbeats_sql =
	"SELECT job_type::text, count(*)::text, string_agg(DISTINCT hostname, ', '),"
	" extract(epoch FROM clock_timestamp() - max(latest_heartbeat))::int::text"
	" FROM %s WHERE state = 'running' AND latest_heartbeat > clock_timestamp() - interval '" ALIVE
	"'"
	" GROUP BY job_type ORDER BY job_type";

/* Schedulers, triggerers, DAG processors, and in Airflow 2 the tasks of workers. */
static void
check_heartbeats(const Preflight *preflight)
{
	if (!query_airflow_table(preflight->findings, preflight->schema, "heartbeats", "job",
							 heartbeats_sql))
		return;
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		const char *hosts = row_text(row, 3);
		Finding finding = {.check_name = "heartbeats", .severity = SEVERITY_CRITICAL};

		finding.object = row_text(row, 1);
		finding.value = row_text(row, 2);
		finding.threshold = "0";
		finding.message =
			psprintf("%s: %s alive, on %s, the last heartbeat %s s ago", finding.object,
					 finding.value, hosts ? hosts : "an unknown host", row_text(row, 4));
		finding.hint = "Stop it before the migration.";
		findings_add(preflight->findings, &finding);
	}
	if (SPI_processed == 0)
		findings_add(
			preflight->findings,
			&(Finding){.check_name = "heartbeats",
					   .value = "0",
					   .threshold = "0",
					   .message = "no component of Airflow had a heartbeat within " ALIVE});
}

/*
 * API servers and workers have no heartbeat in the database, but connections: of roles that may
 * write runs, superusers aside unless the tables are theirs.
 */
static const char *const sessions_sql =
	"SELECT a.usename::text, count(*)::text, string_agg(DISTINCT nullif(a.application_name, ''), "
	"', '),"
	" string_agg(DISTINCT coalesce(host(a.client_addr), 'local'), ', ')"
	" FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, pg_class c"
	" WHERE c.oid = $1 AND a.datname = current_database() AND a.backend_type = 'client backend'"
	" AND a.pid <> pg_backend_pid() AND (a.usesysid = c.relowner"
	"  OR NOT r.rolsuper AND has_table_privilege(a.usesysid, c.oid, 'INSERT'))"
	" GROUP BY a.usename ORDER BY a.usename";

static void
check_sessions(const Preflight *preflight)
{
	QueryArgs args = {0};
	bool visible = sessions_visible(preflight->findings, "sessions");

	arg_datum(&args, OIDOID, ObjectIdGetDatum(airflow_relation_oid(preflight->schema, "dag_run")));
	query_run(sessions_sql, &args, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		const char *programs = row_text(row, 3);
		Finding finding = {.check_name = "sessions", .severity = SEVERITY_WARNING};

		finding.object = row_text(row, 1);
		finding.value = row_text(row, 2);
		finding.threshold = "0";
		finding.message = psprintf(
			"role %s, which may write runs, has %s other sessions (%s) from %s", finding.object,
			finding.value, programs ? programs : "no name", row_text(row, 4));
		finding.hint = "API servers and workers have no heartbeat in the database: stop them, too.";
		findings_add(preflight->findings, &finding);
	}
	if (visible && SPI_processed == 0)
		findings_add(preflight->findings, &(Finding){.check_name = "sessions",
													 .value = "0",
													 .threshold = "0",
													 .message = "no other session may write runs"});
}

void
check_stopped(const Preflight *preflight)
{
	check_paused(preflight);
	check_heartbeats(preflight);
	check_sessions(preflight);
}
