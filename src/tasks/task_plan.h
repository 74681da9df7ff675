/*
 * task_plan.h
 *		The task instances that Airflow creates for a run of a serialized DAG.
 */
#ifndef TASKS_TASK_PLAN_H
#define TASKS_TASK_PLAN_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* A task's rows are not expanded: one task instance with map_index -1. */
#define NOT_EXPANDED (-1)

/* What the task instances of a run depend on besides the DAG. */
typedef struct RunFacts
{
	bool is_backfill;
	bool has_logical_date;
	TimestampTz logical_date;
} RunFacts;

/*
 * A task of the plan, and the columns of its task instances. Pointers are NULL for SQL NULL.
 */
typedef struct PlannedTask
{
	char *task_id;
	int32 instances; /* NOT_EXPANDED, or rows 0 .. instances - 1 */
	char *task_display_name;
	char *task_type;
	char *custom_operator_name;
	char *queue;
	char *pool;
	char *executor;
	bytea *executor_config;
	int32 pool_slots;
	int32 max_tries;
	int32 priority_weight;

	/* Set where the value cannot be computed here: what it would take. */
	char *unknown_weight_rule;
	const char *unknown_executor_config;

	/* Set where Airflow's configuration has the value: the weight by each built-in rule. */
	bool queue_is_configured;
	bool retries_are_configured;
	int64 *configured_weights;
} PlannedTask;

/* The tasks that get task instances, sorted by task_id. */
typedef struct TaskPlan
{
	int count;
	PlannedTask *tasks;
} TaskPlan;

extern TaskPlan *task_plan_build(Jsonb *data, const RunFacts *run);
extern TaskPlan *task_plan_copy(const TaskPlan *plan);
extern bool planned_task_has_row(const PlannedTask *task, int32 map_index);
extern void planned_task_require_known(const PlannedTask *task);
extern PlannedTask *task_plan_find(const TaskPlan *plan, const char *task_id);

#endif
