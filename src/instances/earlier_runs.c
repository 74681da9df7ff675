/*
 * earlier_runs.c
 *		What a plan cannot compute, from task instances that Airflow itself created.
 *
 * To be called connected to SPI and in the name of Airflow's owner.
 */
#include "earlier_runs.h"

#include "catalog/pg_type.h"

#include "instances/rewritten_runs.h"
#include "util/query.h"

static bool
is_unknown(const PlannedTask *task)
{
	return task->unknown_weight_rule != NULL || task->unknown_executor_config != NULL;
}

/* What earlier runs of the version have for a task, as long as all of them agree. */
static void
fill_task(PlannedTask *task, uint64 row, MemoryContext context)
{
	bool isnull;

	if (task->unknown_weight_rule != NULL && row_int(row, 2) == 1)
	{
		task->priority_weight = row_int(row, 3);
		task->unknown_weight_rule = NULL;
	}
	if (task->unknown_executor_config != NULL && row_int(row, 4) == 1)
	{
		Datum value = row_copy(row, 5, BYTEAOID, context, &isnull);

		task->executor_config = isnull ? NULL : DatumGetByteaP(value);
		task->unknown_executor_config = NULL;
	}
}

/*
 * Fill in what the plan could not compute from task instances that Airflow itself created: those
 * of the newest runs of the same version, before a retry could change them. Those of a run that is
 * rewritten now are still what Airflow created for another version. Raises an error that names the
 * first task for which there is none, or for which they differ.
 */
void
earlier_runs_fill(const AirflowTables *tables, const char *dag_id, const pg_uuid_t *version,
				  TaskPlan *plan)
{
	bool needed = false;
	QueryArgs args = {0};

	for (int i = 0; i < plan->count; i++)
		needed = needed || is_unknown(&plan->tasks[i]);
	if (!needed)
		return;

	arg_text(&args, dag_id);
	arg_uuid(&args, version);
	arg_rewritten_runs(&args, dag_id);
	query_run(psprintf("SELECT t.task_id::text, count(DISTINCT t.priority_weight)::int,"
					   " min(t.priority_weight),"
					   " count(DISTINCT coalesce(t.executor_config, ''))::int,"
					   " (array_agg(t.executor_config))[1]"
					   " FROM %1$s.task_instance t WHERE t.dag_id = $1 AND t.dag_version_id = $2"
					   " AND t.try_number <= 1 AND t.run_id IN (SELECT r.run_id FROM %1$s.dag_run r"
					   " WHERE r.dag_id = $1 AND r.created_dag_version_id = $2"
					   " AND r.run_id <> ALL ($3) ORDER BY r.id DESC LIMIT 10) GROUP BY t.task_id",
					   tables->quoted_schema),
			  &args, false, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		PlannedTask *task = task_plan_find(plan, row_text(row, 1));

		if (task != NULL)
			fill_task(task, row, CurrentMemoryContext);
	}
	for (int i = 0; i < plan->count; i++)
		planned_task_require_known(&plan->tasks[i]);
}
