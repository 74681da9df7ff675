/*
 * removed_task.c
 *		Tasks of an older version that Airflow 3.0 cannot run.
 *
 * When a task starts, the execution API of Airflow 3.0 looks it up in the DAG's latest version,
 * whatever the version of its run, and answers 500 where it is not there (ti_run in
 * airflow/api_fastapi/execution_api/routes/task_instances.py). Since 3.1 it looks in the run's own.
 */
#include "removed_task.h"

#include "dag/serialized_dag.h"
#include "dag/task_fields.h"
#include "util/jsonb_member.h"

typedef struct TaskIds
{
	int count;
	char **ids;
} TaskIds;

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The ids of a version's tasks, sorted; none where it has no serialized DAG. */
static void
read_task_ids(const AirflowTables *tables, const DagVersion *version, TaskIds *result)
{
	Jsonb *data = serialized_dag_outline(tables, &version->id, NULL);
	JsonbContainer *tasks = data ? json_child(serialized_dag_body(data), "tasks") : NULL;
	uint32 size = tasks != NULL && JsonContainerIsArray(tasks) ? JsonContainerSize(tasks) : 0;

	result->count = 0;
	result->ids = palloc(Max(size, 1) * sizeof(char *));
	for (uint32 i = 0; i < size; i++)
	{
		JsonbValue *task = getIthJsonbValueFromContainer(tasks, i);
		JsonbContainer *wrapper = task->type == jbvBinary ? task->val.binary.data : NULL;
		JsonbValue *id = field_of(json_child(wrapper, "__var"), FIELD_TASK_ID);

		if (id != NULL && id->type == jbvString)
			result->ids[result->count++] = json_string(id);
	}
	qsort(result->ids, result->count, sizeof(char *), compare_ids);
}

/*
 * Why runs of "version" would fail half-way, or NULL: always from Airflow 3.1 on. Call it connected
 * to SPI. Raises what reading the serialized DAGs raises.
 */
char *
removed_task_problem(const AirflowTables *tables, const DagVersion *version,
					 const DagVersion *latest)
{
	TaskIds own;
	TaskIds known;

	if (tables->minor > AIRFLOW_3_0 || version->number == latest->number)
		return NULL;
	read_task_ids(tables, version, &own);
	read_task_ids(tables, latest, &known);
	for (int i = 0; i < own.count; i++)
		if (bsearch(&own.ids[i], known.ids, known.count, sizeof(char *), compare_ids) == NULL)
			return psprintf("Task \"%s\" of version %d is not in the latest version %d, and "
							"Airflow 3.0 cannot start a task that is not.",
							own.ids[i], version->number, latest->number);
	return NULL;
}
