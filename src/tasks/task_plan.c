/*
 * task_plan.c
 *		The task instances that Airflow creates for a run of a serialized DAG.
 *
 * DagRun.verify_integrity (airflow/models/dagrun.py) says which tasks get task instances,
 * TaskInstance.insert_mapping (airflow/models/taskinstance.py) what is in them.
 */
#include "task_plan.h"

#include "dag/dag_text.h"
#include "dag/serialized_dag.h"
#include "dag/task_fields.h"
#include "tasks/expansion.h"
#include "tasks/priority.h"
#include "tasks/task.h"
#include "util/copy_text.h"
#include "util/jsonb_member.h"
#include "values/pickle.h"

/*
 * A run of more is refused, because a few mapped literals can multiply to any number of rows. They
 * take about 1 kB each.
 */
#define MAX_TASK_INSTANCES 100000

typedef struct TaskList
{
	int count;
	SerializedTask *tasks;
} TaskList;

static int
compare_serialized_tasks(const void *a, const void *b)
{
	return strcmp(((const SerializedTask *) a)->task_id, ((const SerializedTask *) b)->task_id);
}

/* data->'dag'->'tasks' holds {"__type": "operator", "__var": {...}} for each task. */
static void
read_tasks(TaskList *list, JsonbContainer *body, JsonbContainer *client_defaults)
{
	JsonbContainer *tasks = json_child(body, "tasks");
	uint32 size;

	if (tasks == NULL || !JsonContainerIsArray(tasks))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("the serialized DAG has no list of tasks")));
	size = JsonContainerSize(tasks);
	list->count = 0;
	list->tasks = palloc0(Max(size, 1) * sizeof(SerializedTask));
	for (uint32 i = 0; i < size; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(tasks, i);
		JsonbContainer *wrapper = element->type == jbvBinary ? element->val.binary.data : NULL;
		JsonbContainer *own = json_child(wrapper, "__var");

		if (own == NULL || !json_string_is(json_member(wrapper, "__type"), "operator"))
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
							errmsg("a task of the serialized DAG is malformed")));
		task_read(&list->tasks[list->count++], own, client_defaults);
	}
	qsort(list->tasks, list->count, sizeof(SerializedTask), compare_serialized_tasks);
	for (int i = 1; i < list->count; i++)
		if (compare_serialized_tasks(&list->tasks[i - 1], &list->tasks[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("task \"%s\" is twice in the serialized DAG", list->tasks[i].task_id)));
}

/* GroupMember: note the task's group. */
static void
set_group(const char *task_id, int group, void *arg)
{
	TaskList *list = arg;
	SerializedTask key = {.task_id = (char *) task_id};
	SerializedTask *task =
		bsearch(&key, list->tasks, list->count, sizeof(SerializedTask), compare_serialized_tasks);

	if (task != NULL)
		task->group = group;
}

/* A task's own date, or else the DAG's: OperatorSerialization.set_task_dag_references. */
static bool
effective_date(const SerializedTask *task, JsonbContainer *body, TaskField field, TimestampTz *date)
{
	return json_timestamp(field_of(task->layers.own, field), date) ||
		   json_timestamp(field_of(body, field), date);
}

/* task_filter in DagRun.verify_integrity. */
static bool
runs_at(const SerializedTask *task, JsonbContainer *body, const RunFacts *run)
{
	TimestampTz date;

	if (run->is_backfill || !run->has_logical_date)
		return true;
	if (effective_date(task, body, FIELD_START_DATE, &date) && date > run->logical_date)
		return false;
	return !effective_date(task, body, FIELD_END_DATE, &date) || run->logical_date <= date;
}

/*
 * The names: definitions/baseoperator.py and definitions/mappedoperator.py.
 */
static void
plan_names(PlannedTask *planned, const SerializedTask *task)
{
	const TaskLayers *layers = &task->layers;
	JsonbValue *display_name;

	planned->task_type = task_text(layers, FIELD_TASK_TYPE, "BaseOperator");
	planned->custom_operator_name = task_text(layers, FIELD_CUSTOM_OPERATOR_NAME, NULL);
	if (planned->custom_operator_name == NULL ||
		(!layers->is_mapped && planned->custom_operator_name[0] == '\0'))
		planned->custom_operator_name = planned->task_type;

	if (layers->is_mapped)
		display_name = field_of(layers->partial_kwargs, FIELD_DISPLAY_NAME);
	else if ((display_name = field_of(layers->own, FIELD_DISPLAY_NAME)) == NULL)
		display_name = field_of(layers->own, FIELD_DISPLAY_NAME_ALIAS);
	planned->task_display_name =
		display_name && display_name->type == jbvString && display_name->val.string.len > 0
			? json_string(display_name)
			: task->task_id;
}

static void
plan_task(PlannedTask *planned, TaskGraph *graph, int index, const TaskGroups *groups)
{
	const SerializedTask *task = &graph->tasks[index];
	const TaskLayers *layers = &task->layers;

	planned->task_id = task->task_id;
	planned->instances = task_instances(task, groups);
	plan_names(planned, task);
	planned->queue = task_text(layers, FIELD_QUEUE, "default");
	planned->pool = task_text(layers, FIELD_POOL, "default_pool");
	planned->executor = task_text(layers, FIELD_EXECUTOR, NULL);
	planned->pool_slots = task_int(layers, FIELD_POOL_SLOTS, 1);
	planned->max_tries = task_int(layers, FIELD_RETRIES, 0);
	planned->executor_config = pickle_executor_config(task_field(layers, FIELD_EXECUTOR_CONFIG),
													  &planned->unknown_executor_config);
	if (task->weight_rule == WEIGHT_CUSTOM)
		planned->unknown_weight_rule = task->weight_rule_name;
	else
		planned->priority_weight = priority_weight_checked(
			priority_weight_by_rule(graph, index, task->weight_rule), task->task_id);
}

/*
 * Which values does the serialized DAG leave to the configuration? Before serializer version 3 it
 * has nothing of a field that has the configured default.
 */
static void
plan_configured(PlannedTask *planned, TaskGraph *graph, int index)
{
	const TaskLayers *layers = &graph->tasks[index].layers;

	planned->queue_is_configured = task_field(layers, FIELD_QUEUE) == NULL;
	planned->retries_are_configured = task_field(layers, FIELD_RETRIES) == NULL;
	if (task_field(layers, FIELD_WEIGHT_RULE) != NULL)
		return;
	planned->configured_weights = palloc(BUILT_IN_WEIGHT_RULES * sizeof(int64));
	for (int rule = 0; rule < BUILT_IN_WEIGHT_RULES; rule++)
		planned->configured_weights[rule] = priority_weight_by_rule(graph, index, rule);
}

/*
 * Compute the plan, in the current memory context, where it leaves much that only computing it
 * takes. Raises an error, with the reason in its message, for a serialized DAG that Airflow could
 * not create a run of, or whose format is not known here.
 */
TaskPlan *
task_plan_build(Jsonb *data, const RunFacts *run)
{
	bool has_defaults = serialized_dag_version(data) >= SERIALIZER_VERSION_DEFAULTS;
	JsonbContainer *body = serialized_dag_body(data);
	JsonbContainer *client_defaults =
		json_child(json_child(&data->root, "client_defaults"), "tasks");
	TaskPlan *plan = palloc0(sizeof(TaskPlan));
	TaskList list;
	TaskGroups groups;
	TaskGraph graph;
	int64 rows = 0;

	read_tasks(&list, body, client_defaults);
	task_groups_read(&groups, json_child(body, "task_group"), set_group, &list);
	task_graph_build(&graph, list.tasks, list.count);

	plan->tasks = palloc0(Max(list.count, 1) * sizeof(PlannedTask));
	for (int i = 0; i < list.count; i++)
	{
		PlannedTask *planned = &plan->tasks[plan->count];

		if (!runs_at(&list.tasks[i], body, run))
			continue;
		plan_task(planned, &graph, i, &groups);
		if (!has_defaults)
			plan_configured(planned, &graph, i);
		plan->count++;
		rows += Max(planned->instances, 1);
		if (rows > MAX_TASK_INSTANCES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a run of the DAG has more than %d task instances", MAX_TASK_INSTANCES),
					 errdetail("Task \"%s\" brings it above that.", planned->task_id),
					 errhint(HINT_TOO_LARGE)));
	}
	return plan;
}

static PlannedTask
copy_task(const PlannedTask *task)
{
	const Size weights = BUILT_IN_WEIGHT_RULES * sizeof(int64);
	PlannedTask copy = *task;

	copy.task_id = copy_text(task->task_id);
	copy.task_display_name = copy_text(task->task_display_name);
	copy.task_type = copy_text(task->task_type);
	copy.custom_operator_name = copy_text(task->custom_operator_name);
	copy.queue = copy_text(task->queue);
	copy.pool = copy_text(task->pool);
	copy.executor = copy_text(task->executor);
	copy.unknown_weight_rule = copy_text(task->unknown_weight_rule);
	copy.unknown_executor_config = copy_text(task->unknown_executor_config);
	if (task->executor_config != NULL)
		copy.executor_config = memcpy(palloc(VARSIZE(task->executor_config)), task->executor_config,
									  VARSIZE(task->executor_config));
	if (task->configured_weights != NULL)
		copy.configured_weights = memcpy(palloc(weights), task->configured_weights, weights);
	return copy;
}

/* The same plan, in the current memory context and in need of nothing else; NULL of NULL. */
TaskPlan *
task_plan_copy(const TaskPlan *plan)
{
	TaskPlan *copy;

	if (plan == NULL)
		return NULL;
	copy = palloc(sizeof(TaskPlan));
	copy->count = plan->count;
	copy->tasks = palloc(Max(plan->count, 1) * sizeof(PlannedTask));
	for (int i = 0; i < plan->count; i++)
		copy->tasks[i] = copy_task(&plan->tasks[i]);
	return copy;
}

static int
compare_planned_tasks(const void *a, const void *b)
{
	return strcmp(((const PlannedTask *) a)->task_id, ((const PlannedTask *) b)->task_id);
}

/* The task of that name, or NULL. */
PlannedTask *
task_plan_find(const TaskPlan *plan, const char *task_id)
{
	PlannedTask key = {.task_id = (char *) task_id};

	return bsearch(&key, plan->tasks, plan->count, sizeof(PlannedTask), compare_planned_tasks);
}

/* Is there a task instance with that map_index? */
bool
planned_task_has_row(const PlannedTask *task, int32 map_index)
{
	if (task->instances == NOT_EXPANDED)
		return map_index == -1;
	return map_index >= 0 && map_index < task->instances;
}

/*
 * Raise an error when the plan lacks a value of the task that could not be computed and that no
 * earlier run told.
 */
void
planned_task_require_known(const PlannedTask *task)
{
	if (task->unknown_weight_rule != NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("task \"%s\" has the custom priority weight rule \"%s\"",
							   task->task_id, task->unknown_weight_rule),
						errdetail("No earlier run of this version tells its weight, or they "
								  "differ.")));
	if (task->unknown_executor_config != NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("the executor_config of task \"%s\" cannot be written: %s",
							   task->task_id, task->unknown_executor_config),
						errdetail("No earlier run of this version tells it, or they differ.")));
}
