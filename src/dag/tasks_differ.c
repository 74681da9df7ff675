/*
 * tasks_differ.c
 *		Do two serialized DAGs have the same tasks?
 *
 * The order in which the file has them is no difference: Airflow sorts them before it computes the
 * hash of a DAG (_sort_serialized_dag_dict in airflow/models/serialized_dag.py), and diff() compares
 * them by name.
 */
#include "tasks_differ.h"

#include "miscadmin.h"

#include "dag/serialized_dag.h"
#include "util/jsonb_member.h"

/* An element of a DAG's list of tasks. */
typedef struct ListedTask
{
	char *task_id; /* empty for what has none */
	JsonbValue *element;
} ListedTask;

typedef struct TaskList
{
	int count;
	ListedTask *tasks;
} TaskList;

/* Two values of a serialized DAG; NULL where there is none. */
static bool
containers_differ(JsonbContainer *a, JsonbContainer *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	return compareJsonbContainers(a, b) != 0;
}

static bool
values_differ(JsonbValue *a, JsonbValue *b)
{
	return containers_differ(&JsonbValueToJsonb(a)->root, &JsonbValueToJsonb(b)->root);
}

static char *
task_id_of(JsonbValue *element)
{
	JsonbContainer *task =
		element->type == jbvBinary ? json_child(element->val.binary.data, "__var") : NULL;
	JsonbValue *task_id = task ? json_member(task, "task_id") : NULL;

	return task_id != NULL && task_id->type == jbvString ? json_string(task_id) : pstrdup("");
}

static int
compare_tasks(const void *a, const void *b)
{
	return strcmp(((const ListedTask *) a)->task_id, ((const ListedTask *) b)->task_id);
}

/* The tasks, sorted by name. */
static void
read_tasks(JsonbContainer *list, TaskList *result)
{
	result->count = list != NULL && JsonContainerIsArray(list) ? JsonContainerSize(list) : 0;
	result->tasks = palloc_extended(Max(result->count, 1) * sizeof(ListedTask), MCXT_ALLOC_HUGE);
	for (int i = 0; i < result->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		result->tasks[i].element = getIthJsonbValueFromContainer(list, i);
		result->tasks[i].task_id = task_id_of(result->tasks[i].element);
	}
	qsort(result->tasks, result->count, sizeof(ListedTask), compare_tasks);
}

static bool
lists_differ(JsonbContainer *a, JsonbContainer *b)
{
	TaskList left;
	TaskList right;

	if (!containers_differ(a, b))
		return false;
	read_tasks(a, &left);
	read_tasks(b, &right);
	if (left.count != right.count)
		return true;
	for (int i = 0; i < left.count; i++)
		if (strcmp(left.tasks[i].task_id, right.tasks[i].task_id) != 0 ||
			values_differ(left.tasks[i].element, right.tasks[i].element))
			return true;
	return false;
}

/*
 * Do the tasks of two serialized DAGs differ, their groups, or what they leave to the DAGs' defaults?
 * Raises an error for a serializer version that is not known.
 */
bool
tasks_differ(Jsonb *a, Jsonb *b)
{
	JsonbContainer *left = serialized_dag_body(a);
	JsonbContainer *right = serialized_dag_body(b);

	return lists_differ(json_child(left, "tasks"), json_child(right, "tasks")) ||
		   containers_differ(json_child(left, "task_group"), json_child(right, "task_group")) ||
		   containers_differ(json_child(&a->root, "client_defaults"),
							 json_child(&b->root, "client_defaults"));
}
