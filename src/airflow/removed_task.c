/*
 * removed_task.c
 *		Tasks of an older version that Airflow 3.0 cannot run.
 *
 * When a task starts, the execution API of Airflow 3.0 looks it up in the DAG's latest version,
 * whatever the version of its run, and answers 500 where it is not there (ti_run in
 * airflow/api_fastapi/execution_api/routes/task_instances.py). Since 3.1 it looks in the run's own.
 */
#include "removed_task.h"

#include "airflow/serialized_dag.h"
#include "airflow/task_plan.h"

static TaskPlan *
plan_any_run(const AirflowTables *tables, const DagVersion *version)
{
	RunFacts any_run = {0};
	Jsonb *data = serialized_dag_load(tables, &version->id, NULL);

	return data ? task_plan_build(data, &any_run) : NULL;
}

/*
 * Why runs of "version" would fail half-way, or NULL: always from Airflow 3.1 on. Call it connected
 * to SPI. Raises what reading the serialized DAGs raises.
 */
char *
removed_task_problem(const AirflowTables *tables, const DagVersion *version,
					 const DagVersion *latest)
{
	TaskPlan *plan;
	TaskPlan *known;

	if (tables->minor > AIRFLOW_3_0 || version->number == latest->number)
		return NULL;
	plan = plan_any_run(tables, version);
	known = plan_any_run(tables, latest);
	for (int i = 0; plan != NULL && known != NULL && i < plan->count; i++)
		if (task_plan_find(known, plan->tasks[i].task_id) == NULL)
			return psprintf("Task \"%s\" of version %d is not in the latest version %d, and "
							"Airflow 3.0 cannot start a task that is not.",
							plan->tasks[i].task_id, version->number, latest->number);
	return NULL;
}
