/*
 * configured_defaults.c
 *		Airflow's configured defaults for tasks, which a serialized DAG of Airflow 3.0 leaves out.
 *
 * Airflow 3.0 does not serialize a task's queue, retries or weight rule where it is the one that
 * the configuration sets (default_queue, default_task_retries, default_task_weight_rule), and the
 * process that creates a run fills in its own configuration's. It shows in the task instances that
 * the process has created: in those of this run, as Airflow made it of the latest version, or else
 * in the first run of the pinned version. What shows nowhere is Airflow's own default.
 *
 * From 3.1 on a serialized DAG says what it was written with (client_defaults), and what an older
 * one leaves out is Airflow's own default.
 *
 * To be called connected to SPI and in the name of Airflow's owner.
 */
#include "configured_defaults.h"

#include "utils/builtins.h"

#include "tasks/priority.h"
#include "tasks/task.h"
#include "util/query.h"

/* What task instances show. */
typedef struct ConfiguredDefaults
{
	char *queue; /* NULL: nothing */
	bool has_retries;
	int32 retries;
	int64 matches[BUILT_IN_WEIGHT_RULES]; /* task instances that weigh what the rule says */
} ConfiguredDefaults;

/* Has the plan, which may be NULL, a task of which something is left to the configuration? */
static bool
has_configured(const TaskPlan *plan)
{
	for (int i = 0; plan != NULL && i < plan->count; i++)
		if (plan->tasks[i].queue_is_configured || plan->tasks[i].retries_are_configured ||
			plan->tasks[i].configured_weights != NULL)
			return true;
	return false;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static int
compare_ints(const void *a, const void *b)
{
	int32 left = *(const int32 *) a;
	int32 right = *(const int32 *) b;

	return left < right ? -1 : left > right;
}

/* Sort the values, and return the number of the one that is there most often. */
static int
most_frequent(void *values, int count, size_t size, int (*compare)(const void *, const void *))
{
	char *value = values;
	int first = 0; /* of those that are equal to the one looked at */
	int best = 0;
	int most = 0;

	qsort(values, count, size, compare);
	for (int i = 0; i < count; i++)
	{
		if (compare(value + first * size, value + i * size) != 0)
			first = i;
		if (i - first >= most)
		{
			most = i - first + 1;
			best = first;
		}
	}
	return best;
}

static void
learn_weight(ConfiguredDefaults *defaults, const PlannedTask *task, int32 weight)
{
	for (int rule = 0; rule < BUILT_IN_WEIGHT_RULES; rule++)
		if (task->configured_weights[rule] == weight)
			defaults->matches[rule]++;
}

/*
 * Learn from the task instances of one run what the configuration had for the plan's tasks. A
 * task_instance_mutation_hook may have changed some, so the most frequent value counts. What is
 * known already stays.
 */
static void
learn_from_run(const AirflowTables *tables, const char *dag_id, const char *run_id,
			   const TaskPlan *plan, ConfiguredDefaults *defaults)
{
	static KeptPlan kept;
	QueryArgs args = {0};
	char **queues;
	int32 *retries;
	int queue_count = 0;
	int retries_count = 0;

	arg_text(&args, dag_id);
	arg_text(&args, run_id);
	query_run_kept(&kept,
				   psprintf("SELECT task_id, queue, max_tries, priority_weight"
							" FROM %s.task_instance WHERE dag_id = $1 AND run_id = $2",
							tables->quoted_schema),
				   &args, 0);
	queues = palloc(Max(SPI_processed, 1) * sizeof(char *));
	retries = palloc(Max(SPI_processed, 1) * sizeof(int32));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		const PlannedTask *task = task_plan_find(plan, row_required_text(row, 1));

		if (task == NULL)
			continue;
		if (task->queue_is_configured && !row_is_null(row, 2))
			queues[queue_count++] = row_text(row, 2);
		if (task->retries_are_configured)
			retries[retries_count++] = row_int(row, 3);
		if (task->configured_weights != NULL && !row_is_null(row, 4))
			learn_weight(defaults, task, row_int(row, 4));
	}
	if (defaults->queue == NULL && queue_count > 0)
		defaults->queue = queues[most_frequent(queues, queue_count, sizeof(char *), compare_texts)];
	if (!defaults->has_retries && retries_count > 0)
	{
		defaults->has_retries = true;
		defaults->retries =
			retries[most_frequent(retries, retries_count, sizeof(int32), compare_ints)];
	}
}

/*
 * The first run of the version, which is Airflow's own; one that was cleared has other max_tries.
 */
static char *
first_run(const AirflowTables *tables, const char *dag_id, const pg_uuid_t *version)
{
	static KeptPlan kept;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	arg_uuid(&args, version);
	query_run_kept(&kept,
				   psprintf("SELECT run_id FROM %s.dag_run WHERE dag_id = $1"
							" AND created_dag_version_id = $2 AND clear_number = 0"
							" ORDER BY id LIMIT 1",
							tables->quoted_schema),
				   &args, 1);
	return SPI_processed > 0 ? row_text(0, 1) : NULL;
}

/* Nothing of the plan is left to the configuration then. What is not known is Airflow's own default. */
static void
apply_defaults(TaskPlan *plan, const ConfiguredDefaults *defaults)
{
	WeightRule rule = WEIGHT_DOWNSTREAM;

	for (int other = 0; other < BUILT_IN_WEIGHT_RULES; other++)
		if (defaults->matches[other] > defaults->matches[rule])
			rule = other;
	for (int i = 0; i < plan->count; i++)
	{
		PlannedTask *task = &plan->tasks[i];

		if (task->queue_is_configured && defaults->queue != NULL)
			task->queue = defaults->queue;
		if (task->retries_are_configured && defaults->has_retries)
			task->max_tries = defaults->retries;
		if (task->configured_weights != NULL)
			task->priority_weight =
				priority_weight_checked(task->configured_weights[rule], task->task_id);
		task->queue_is_configured = false;
		task->retries_are_configured = false;
		task->configured_weights = NULL;
	}
}

/*
 * Fill in what the configuration has in both plans of a run that Airflow has created from
 * "requested" (NULL: unknown) and that shall become one of "version".
 */
void
configured_defaults_fill(const AirflowTables *tables, const char *dag_id, const char *run_id,
						 const pg_uuid_t *version, TaskPlan *wanted, TaskPlan *requested)
{
	ConfiguredDefaults defaults = {0};

	if (tables->minor <= AIRFLOW_3_0 && (has_configured(wanted) || has_configured(requested)))
	{
		char *first = first_run(tables, dag_id, version);

		if (requested != NULL)
			learn_from_run(tables, dag_id, run_id, requested, &defaults);
		if (first != NULL && strcmp(first, run_id) != 0)
			learn_from_run(tables, dag_id, first, wanted, &defaults);
	}
	apply_defaults(wanted, &defaults);
	if (requested != NULL)
		apply_defaults(requested, &defaults);
}
