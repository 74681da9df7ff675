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

#include "util/jsonb_member.h"

/*
 * The field as it was serialized, or NULL when no layer has it and Airflow's class default holds.
 */
JsonbValue *
task_field(const TaskLayers *layers, TaskField field)
{
	JsonbValue *value;

	if (layers->is_mapped && layers->partial_kwargs != NULL)
	{
		if ((value = field_of(layers->partial_kwargs, field)) != NULL)
			return value;
		if ((value = field_of(layers->client_defaults, field)) != NULL)
			return value;
	}
	if ((value = field_of(layers->own, field)) != NULL)
		return value;
	return field_of(layers->client_defaults, field);
}

static void
raise_unexpected_field(const TaskLayers *layers, TaskField field)
{
	/* which task_read() has seen to be a string */
	char *task_id = json_string(field_of(layers->own, FIELD_TASK_ID));

	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("field \"%s\" of task \"%s\" has an unexpected type in the serialized "
						   "DAG",
						   task_field_name(field), task_id)));
}

/* A text field; NULL for JSON null. */
char *
task_text(const TaskLayers *layers, TaskField field, const char *default_value)
{
	JsonbValue *value = task_field(layers, field);

	if (value == NULL)
		return default_value ? pstrdup(default_value) : NULL;
	if (value->type == jbvNull)
		return NULL;
	if (value->type != jbvString)
		raise_unexpected_field(layers, field);
	return json_string(value);
}

/* A whole-number field. Python's True and False count as 1 and 0, as they do for Airflow. */
int32
task_int(const TaskLayers *layers, TaskField field, int32 default_value)
{
	JsonbValue *value = task_field(layers, field);

	if (value == NULL)
		return default_value;
	if (value->type == jbvBool)
		return value->val.boolean ? 1 : 0;
	if (value->type != jbvNumeric)
		raise_unexpected_field(layers, field);
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value->val.numeric)));
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
	JsonbValue *task_id = field_of(own, FIELD_TASK_ID);
	JsonbValue *is_mapped = field_of(own, FIELD_IS_MAPPED);

	if (task_id == NULL || task_id->type != jbvString)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a task of the serialized DAG has no task_id")));
	task->task_id = json_string(task_id);
	task->group = -1;
	task->layers.own = own;
	task->layers.client_defaults = client_defaults;
	task->layers.is_mapped =
		is_mapped != NULL && is_mapped->type == jbvBool && is_mapped->val.boolean;
	task->layers.partial_kwargs = field_child(own, FIELD_PARTIAL_KWARGS);

	task->priority_weight = task_int(&task->layers, FIELD_PRIORITY_WEIGHT, 1);
	task->weight_rule_name = task_text(&task->layers, FIELD_WEIGHT_RULE, "downstream");
	if (task->weight_rule_name == NULL || task->weight_rule_name[0] == '\0')
		task->weight_rule_name = pstrdup("downstream");
	task->weight_rule = weight_rule_from_name(task->weight_rule_name);
}
