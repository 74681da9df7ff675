/*
 * priority.c
 *		Priority weights of task instances under Airflow's built-in weight rules.
 *
 * airflow/task/priority_strategy.py: "absolute" is the task's own weight; "downstream" and
 * "upstream" add the weights of all tasks that can be reached in that direction, each once.
 */
#include "priority.h"

#include "miscadmin.h"
#include "utils/jsonb.h"

#include "dag/dag_text.h"
#include "util/jsonb_member.h"

/*
 * Following the dependencies of every task to their end takes at most tasks times dependencies
 * steps. 5,000 tasks of 20 dependencies each may be computed, in a few seconds.
 */
#define MAX_STEPS INT64CONST(500000000)

static int
find_task(const TaskGraph *graph, const char *task_id)
{
	int low = 0;
	int high = graph->count - 1;

	while (low <= high)
	{
		int middle = low + (high - low) / 2;
		int order = strcmp(task_id, graph->tasks[middle].task_id);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("task \"%s\" is downstream of another but not in the serialized DAG",
						   task_id)));
}

static JsonbContainer *
downstream_ids(const SerializedTask *task)
{
	JsonbContainer *ids = field_child(task->layers.own, FIELD_DOWNSTREAM_TASK_IDS);

	if (ids == NULL)
		ids = field_child(task->layers.own, FIELD_DOWNSTREAM_TASK_IDS_ALIAS);
	return ids != NULL && JsonContainerIsArray(ids) ? ids : NULL;
}

static void
read_downstream(TaskGraph *graph)
{
	int total = 0;
	int next = 0;

	for (int i = 0; i < graph->count; i++)
	{
		JsonbContainer *ids = downstream_ids(&graph->tasks[i]);

		total += ids ? JsonContainerSize(ids) : 0;
	}
	graph->downstream.first = palloc((graph->count + 1) * sizeof(int));
	graph->downstream.edges = palloc(Max(total, 1) * sizeof(int));

	for (int i = 0; i < graph->count; i++)
	{
		JsonbContainer *ids = downstream_ids(&graph->tasks[i]);
		uint32 size = ids ? JsonContainerSize(ids) : 0;

		graph->downstream.first[i] = next;
		for (uint32 j = 0; j < size; j++)
		{
			JsonbValue *id = getIthJsonbValueFromContainer(ids, j);

			if (id->type != jbvString)
				ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
								errmsg("a downstream task_id of task \"%s\" is not a string",
									   graph->tasks[i].task_id)));
			graph->downstream.edges[next++] = find_task(graph, json_string(id));
		}
	}
	graph->downstream.first[graph->count] = next;
}

/* The same edges the other way round, by counting sort. */
static void
reverse_edges(TaskGraph *graph)
{
	const TaskEdges *from = &graph->downstream;
	TaskEdges *to = &graph->upstream;
	int total = from->first[graph->count];
	int *next = palloc(Max(graph->count, 1) * sizeof(int));

	to->first = palloc0((graph->count + 1) * sizeof(int));
	to->edges = palloc(Max(total, 1) * sizeof(int));
	for (int i = 0; i < total; i++)
		to->first[from->edges[i] + 1]++;
	for (int i = 0; i < graph->count; i++)
	{
		to->first[i + 1] += to->first[i];
		next[i] = to->first[i];
	}
	for (int i = 0; i < graph->count; i++)
		for (int j = from->first[i]; j < from->first[i + 1]; j++)
			to->edges[next[from->edges[j]]++] = i;
	pfree(next);
}

/*
 * Prepare the graph of "tasks", which are sorted by task_id.
 */
void
task_graph_build(TaskGraph *graph, const SerializedTask *tasks, int count)
{
	graph->count = count;
	graph->tasks = tasks;
	read_downstream(graph);
	reverse_edges(graph);
	graph->seen = palloc0(Max(count, 1) * sizeof(int));
	graph->stack = palloc(Max(count, 1) * sizeof(int));
	graph->round = 0;
	graph->steps = 0;
}

/* Sum of the weights of everything reachable from "start", without itself. */
static int64
reachable_weight(TaskGraph *graph, const TaskEdges *edges, int start)
{
	int depth = 0;
	int64 sum = 0;

	graph->round++;
	graph->seen[start] = graph->round;
	graph->stack[depth++] = start;
	while (depth > 0)
	{
		int task = graph->stack[--depth];

		graph->steps += edges->first[task + 1] - edges->first[task];
		for (int i = edges->first[task]; i < edges->first[task + 1]; i++)
		{
			int next = edges->edges[i];

			if (graph->seen[next] == graph->round)
				continue;
			graph->seen[next] = graph->round;
			graph->stack[depth++] = next;
			sum += graph->tasks[next].priority_weight;
		}
	}
	if (graph->steps > MAX_STEPS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the DAG has too many dependencies to compute priority weights"),
						errdetail("It has %d tasks and %d dependencies; 5000 tasks of 20 "
								  "dependencies each can be computed.",
								  graph->count, graph->downstream.first[graph->count]),
						errhint(HINT_TOO_LARGE)));
	CHECK_FOR_INTERRUPTS();
	return sum;
}

/*
 * What a task's instances weigh under a built-in rule, which need not be the task's own.
 */
int64
priority_weight_by_rule(TaskGraph *graph, int task, WeightRule rule)
{
	int64 weight = graph->tasks[task].priority_weight;

	Assert(rule != WEIGHT_CUSTOM);
	if (rule == WEIGHT_DOWNSTREAM)
		weight += reachable_weight(graph, &graph->downstream, task);
	else if (rule == WEIGHT_UPSTREAM)
		weight += reachable_weight(graph, &graph->upstream, task);
	return weight;
}

/*
 * The weight as the column takes it. Raises an error where Airflow's own insert would fail, out of
 * the column's range.
 */
int32
priority_weight_checked(int64 weight, const char *task_id)
{
	if (weight < PG_INT32_MIN || weight > PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("priority weight of task \"%s\" is out of range", task_id)));
	return (int32) weight;
}
