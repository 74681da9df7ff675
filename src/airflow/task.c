/*
 * task.c
 *		One task of a serialized DAG, its fields resolved through Airflow's layers of defaults.
 *
 * A serialized task holds only what differs from the defaults. The order in which the layers are
 * asked is that of OperatorSerialization.populate_operator and SerializedMappedOperator
 * (airflow/serialization/serialized_objects.py, definitions/mappedoperator.py).
 */
#include "task.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "airflow/serialized_dag.h"

/*
 * The field as it was serialized, or NULL when no layer has it and Airflow's class default holds.
 */
JsonbValue *
task_field(const TaskLayers *layers, const char *name)
{
	JsonbValue *value;

	if (layers->is_mapped && layers->partial_kwargs != NULL)
	{
		if ((value = json_member(layers->partial_kwargs, name)) != NULL)
			return value;
		if ((value = json_member(layers->client_defaults, name)) != NULL)
			return value;
	}
	if ((value = json_member(layers->own, name)) != NULL)
		return value;
	return json_member(layers->client_defaults, name);
}

static void
raise_unexpected_field(const TaskLayers *layers, const char *name)
{
	/* which task_read() has seen to be a string */
	char *task_id = json_string(json_member(layers->own, "task_id"));

	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("field \"%s\" of task \"%s\" has an unexpected type in the serialized "
						   "DAG",
						   name, task_id)));
}

/* A text field; NULL for JSON null. */
char *
task_text(const TaskLayers *layers, const char *name, const char *default_value)
{
	JsonbValue *value = task_field(layers, name);

	if (value == NULL)
		return default_value ? pstrdup(default_value) : NULL;
	if (value->type == jbvNull)
		return NULL;
	if (value->type != jbvString)
		raise_unexpected_field(layers, name);
	return json_string(value);
}

/* A whole-number field. Python's True and False count as 1 and 0, as they do for Airflow. */
int32
task_int(const TaskLayers *layers, const char *name, int32 default_value)
{
	JsonbValue *value = task_field(layers, name);

	if (value == NULL)
		return default_value;
	if (value->type == jbvBool)
		return value->val.boolean ? 1 : 0;
	if (value->type != jbvNumeric)
		raise_unexpected_field(layers, name);
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value->val.numeric)));
}

/*
 * A serialized date: seconds since 1970, as a float. False for one that is not there.
 */
bool
json_timestamp(JsonbValue *value, TimestampTz *timestamp)
{
	double seconds;

	if (value == NULL || value->type == jbvNull)
		return false;
	if (value->type != jbvNumeric)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a date in the serialized DAG is not a number")));
	seconds =
		DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
	if (fabs(seconds) > 1e12)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("a date in the serialized DAG is out of range")));
	seconds -= (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	*timestamp = (TimestampTz) rint(seconds * USECS_PER_SEC);
	return true;
}

static WeightRule
weight_rule_from_name(const char *name)
{
	static const struct
	{
		const char *name;
		WeightRule rule;
	} rules[] = {
		/* get_airflow_priority_weight_strategies (airflow/task/priority_strategy.py) */
		{"downstream", WEIGHT_DOWNSTREAM},
		{"upstream", WEIGHT_UPSTREAM},
		{"absolute", WEIGHT_ABSOLUTE},
		{"airflow.task.priority_strategy._DownstreamPriorityWeightStrategy", WEIGHT_DOWNSTREAM},
		{"airflow.task.priority_strategy._UpstreamPriorityWeightStrategy", WEIGHT_UPSTREAM},
		{"airflow.task.priority_strategy._AbsolutePriorityWeightStrategy", WEIGHT_ABSOLUTE},
	};

	for (int i = 0; i < (int) lengthof(rules); i++)
		if (strcmp(name, rules[i].name) == 0)
			return rules[i].rule;
	return WEIGHT_CUSTOM;
}

/*
 * Read what every task of a DAG must tell, also one that gets no task instance: other tasks'
 * weights depend on it.
 */
void
task_read(SerializedTask *task, JsonbContainer *own, JsonbContainer *client_defaults)
{
	JsonbValue *task_id = json_member(own, "task_id");
	JsonbValue *is_mapped = json_member(own, "_is_mapped");

	if (task_id == NULL || task_id->type != jbvString)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a task of the serialized DAG has no task_id")));
	task->task_id = json_string(task_id);
	task->group = -1;
	task->layers.own = own;
	task->layers.client_defaults = client_defaults;
	task->layers.is_mapped =
		is_mapped != NULL && is_mapped->type == jbvBool && is_mapped->val.boolean;
	task->layers.partial_kwargs = json_child(own, "partial_kwargs");

	task->priority_weight = task_int(&task->layers, "priority_weight", 1);
	task->weight_rule_name = task_text(&task->layers, "weight_rule", "downstream");
	if (task->weight_rule_name == NULL || task->weight_rule_name[0] == '\0')
		task->weight_rule_name = pstrdup("downstream");
	task->weight_rule = weight_rule_from_name(task->weight_rule_name);
}
