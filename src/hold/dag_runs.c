/*
 * dag_runs.c
 *		What the next run of a DAG depends on: the runs that there are.
 *
 * The queries are those of _RunInfo.calculate() (airflow/dag_processing/collection.py) and
 * DagRun.active_runs_of_dags() (airflow/models/dagrun.py). Call all of this connected to SPI.
 */
#include "hold/dag_runs.h"

#include "miscadmin.h"

#include "schedule/automated_run.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* So many logical dates in a row that have a run already are skipped at once. */
#define MAX_SKIPPED 10000

static void
run_as_airflow(const AirflowTables *tables, KeptPlan *plan, const char *sql, QueryArgs *args)
{
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, tables->dag_run);
	query_run_kept(plan, sql, args, 1);
	owner_scope_leave(&scope);
}

/* Has the DAG a run of any type with that logical date? */
bool
run_exists(const AirflowTables *tables, const char *dag_id, TimestampTz logical_date)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	arg_timestamp(&args, logical_date);
	run_as_airflow(tables, &plan,
				   psprintf("SELECT 1 FROM %s.dag_run WHERE dag_id = $1 AND logical_date = $2",
							tables->quoted_schema),
				   &args);
	return SPI_processed > 0;
}

/* Runs that count for max_active_runs. */
int64
active_runs(const AirflowTables *tables, const char *dag_id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_airflow(tables, &plan,
				   psprintf("SELECT count(*) FROM %s.dag_run WHERE dag_id = $1"
							" AND state IN ('running', 'queued') AND run_type <> 'backfill'",
							tables->quoted_schema),
				   &args);
	return row_bigint(0, 1);
}

/*
 * The run after the newest automated one. A logical date that has a run of any type is skipped, as
 * the scheduler would find out: computed again from the newest automated run, it would come for ever.
 */
void
next_free_run(const AirflowTables *tables, const char *dag_id, const Schedule *schedule,
			  NextRun *next)
{
	const TimestampTz now = GetCurrentTimestamp();
	DataInterval last;
	bool has_last = newest_automated_run(tables, dag_id, &last);

	for (int i = 0; i < MAX_SKIPPED; i++)
	{
		CHECK_FOR_INTERRUPTS();
		schedule_next_run(schedule, tables->minor, has_last ? &last : NULL, now, next);
		if (!next->exists || !run_exists(tables, dag_id, next->logical_date))
			return;
		last = next->interval;
		has_last = true;
	}
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("the next %d logical dates of DAG \"%s\" have runs already", MAX_SKIPPED,
						   dag_id),
					errhint("Delete those runs, or wait until their dates are over.")));
}
