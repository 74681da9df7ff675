/*
 * configured_limits.c
 *		Limits that a serialized DAG leaves to Airflow's configuration.
 *
 * Airflow 3.0 and 3.1 leave out of a serialized DAG what is as configured, and the configuration is nowhere
 * in the database. But a DAG whose latest version leaves a limit out has in "dag" what Airflow took instead
 * at its last parse (airflow/dag_processing/collection.py). One such DAG is enough.
 */
#include "hold/configured_limits.h"

#include "utils/timestamp.h"

#include "pin/cache.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* A changed configuration is found after so long at the latest. */
#define KEPT_MILLISECONDS 60000

/* So many DAGs are looked at, at most. */
#define MAX_DAGS "200"

/* [core] max_active_tasks_per_dag, max_active_runs_per_dag, max_consecutive_failed_dag_runs_per_dag */
static struct
{
	const char *column;
	int32 airflows_own;
	int32 value;
	TimestampTz read_at;
	KeptPlan plan;
} limits[] = {
	[LIMIT_ACTIVE_TASKS] = {"max_active_tasks", 16, 0, 0, {0}},
	[LIMIT_ACTIVE_RUNS] = {"max_active_runs", 16, 0, 0, {0}},
	[LIMIT_FAILED_RUNS] = {"max_consecutive_failed_dag_runs", 0, 0, 0, {0}},
};

const char *
limit_column(LimitName name)
{
	return limits[name].column;
}

/* What "dag" says of a DAG whose pin holds its limits is no evidence. */
static bool
is_held(const char *dag_id)
{
	const PinList *pins = pin_cache_read(dag_id);

	for (int i = 0; pins != NULL && i < pins->count; i++)
		if (pins->pins[i].hold_schedule)
			return true;
	return false;
}

static int32
look(const AirflowTables *tables, LimitName name)
{
	const char *column = limits[name].column;
	QueryArgs args = {0};
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, tables->dag);
	query_run_kept(
		&limits[name].plan,
		psprintf("SELECT d.dag_id, d.%2$s FROM (SELECT * FROM %1$s.dag"
				 " WHERE last_parsed_time IS NOT NULL AND %2$s IS NOT NULL LIMIT " MAX_DAGS ") d,"
				 " LATERAL (SELECT s.data FROM %1$s.dag_version v"
				 " JOIN %1$s.serialized_dag s ON s.dag_version_id = v.id WHERE v.dag_id = d.dag_id"
				 " ORDER BY v.version_number DESC LIMIT 1) l"
				 " WHERE (l.data -> 'dag') IS NOT NULL AND (l.data -> 'dag' -> '%2$s') IS NULL"
				 " LIMIT 20",
				 tables->quoted_schema, column),
		&args, 20);
	owner_scope_leave(&scope);
	for (uint64 row = 0; row < SPI_processed; row++)
		if (!is_held(row_required_text(row, 1)))
			return row_int(row, 2);
	return limits[name].airflows_own;
}

/*
 * The limit as configured; Airflow's own where no DAG shows it. Call it connected to SPI.
 */
int32
configured_limit(const AirflowTables *tables, LimitName name)
{
	const TimestampTz now = GetCurrentTimestamp();

	if (limits[name].read_at == 0 ||
		TimestampDifferenceExceeds(limits[name].read_at, now, KEPT_MILLISECONDS))
	{
		limits[name].value = look(tables, name);
		limits[name].read_at = now;
	}
	return limits[name].value;
}
