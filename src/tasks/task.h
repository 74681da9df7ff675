/*
 * task.h
 *		One task of a serialized DAG, its fields resolved through Airflow's layers of defaults.
 */
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "dag/task_fields.h"

/* Built-in priority weight rules, and what only a plugin can compute. */
typedef enum WeightRule
{
	WEIGHT_DOWNSTREAM,
	WEIGHT_UPSTREAM,
	WEIGHT_ABSOLUTE,
	WEIGHT_CUSTOM
} WeightRule;

#define BUILT_IN_WEIGHT_RULES WEIGHT_CUSTOM

/* Where a field of the task may be written down; NULL for the layers that it does not have. */
typedef struct TaskLayers
{
	JsonbContainer *own;
	JsonbContainer *partial_kwargs;
	JsonbContainer *client_defaults;
	bool is_mapped;
} TaskLayers;

typedef struct SerializedTask
{
	char *task_id;
	TaskLayers layers;
	WeightRule weight_rule;
	char *weight_rule_name;
	int32 priority_weight;
	int group; /* index into the group table of expansion.c */
} SerializedTask;

extern JsonbValue *task_field(const TaskLayers *layers, TaskField field);
extern char *task_text(const TaskLayers *layers, TaskField field, const char *default_value);
extern int32 task_int(const TaskLayers *layers, TaskField field, int32 default_value);
extern void task_read(SerializedTask *task, JsonbContainer *own, JsonbContainer *client_defaults);

#endif
