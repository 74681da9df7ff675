/*
 * automated_run.c
 *		The run that a DAG's next one comes after.
 */
#include "schedule/automated_run.h"

#include "util/owner_scope.h"
#include "util/query.h"

/*
 * The data interval of the newest automated run, by logical date: _get_latest_runs_stmt() in
 * airflow/dag_processing/collection.py. False: there is none. Runs that began under Airflow 2.1 or before
 * have no data interval; it was from the logical date to the moment at which the run was due. Call it
 * connected to SPI.
 */
bool
newest_automated_run(const AirflowTables *tables, const char *dag_id, DataInterval *interval)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, dag_id);
	owner_scope_enter_foreign(&scope, tables->dag_run);
	query_run_kept(&plan,
				   psprintf("SELECT coalesce(data_interval_start, logical_date),"
							" coalesce(data_interval_end, run_after) FROM %s.dag_run"
							" WHERE dag_id OPERATOR(pg_catalog.=) $1"
							" AND run_type OPERATOR(pg_catalog.=) ANY ('{scheduled,backfill}')"
							" AND logical_date IS NOT NULL"
							" ORDER BY logical_date DESC LIMIT 1",
							tables->quoted_schema),
				   &args, 1);
	owner_scope_leave(&scope);
	if (SPI_processed == 0)
		return false;
	interval->start = row_timestamp(0, 1);
	interval->end = row_timestamp(0, 2);
	return true;
}
