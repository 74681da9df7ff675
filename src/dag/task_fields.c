/*
 * task_fields.c
 *		The fields of a serialized task that are read.
 */
#include "task_fields.h"

#include "util/jsonb_member.h"

#define FIELD(name)                                                                                \
	{                                                                                              \
		name, sizeof(name) - 1                                                                     \
	}

static const struct
{
	const char *name;
	int length;
} fields[] = {
	[FIELD_CUSTOM_OPERATOR_NAME] = FIELD("_operator_name"),
	[FIELD_DISPLAY_NAME] = FIELD("task_display_name"),
	[FIELD_DISPLAY_NAME_ALIAS] = FIELD("_task_display_name"),
	[FIELD_DOWNSTREAM_TASK_IDS] = FIELD("downstream_task_ids"),
	[FIELD_DOWNSTREAM_TASK_IDS_ALIAS] = FIELD("_downstream_task_ids"),
	[FIELD_END_DATE] = FIELD("end_date"),
	[FIELD_EXECUTOR] = FIELD("executor"),
	[FIELD_EXECUTOR_CONFIG] = FIELD("executor_config"),
	[FIELD_EXPAND_INPUT] = FIELD("expand_input"),
	[FIELD_EXPAND_INPUT_ATTR] = FIELD("_expand_input_attr"),
	[FIELD_IS_MAPPED] = FIELD("_is_mapped"),
	[FIELD_OP_KWARGS_EXPAND_INPUT] = FIELD("op_kwargs_expand_input"),
	[FIELD_PARTIAL_KWARGS] = FIELD("partial_kwargs"),
	[FIELD_POOL] = FIELD("pool"),
	[FIELD_POOL_SLOTS] = FIELD("pool_slots"),
	[FIELD_PRIORITY_WEIGHT] = FIELD("priority_weight"),
	[FIELD_QUEUE] = FIELD("queue"),
	[FIELD_RETRIES] = FIELD("retries"),
	[FIELD_START_DATE] = FIELD("start_date"),
	[FIELD_TASK_ID] = FIELD("task_id"),
	[FIELD_TASK_TYPE] = FIELD("task_type"),
	[FIELD_WEIGHT_RULE] = FIELD("weight_rule"),
};

const char *
task_field_name(TaskField field)
{
	return fields[field].name;
}

bool
is_task_field(const char *name, int length)
{
	for (int i = 0; i < (int) lengthof(fields); i++)
		if (fields[i].length == length && memcmp(fields[i].name, name, length) == 0)
			return true;
	return false;
}

/* The field of a task, or of what holds fields of tasks, such as defaults; NULL: it has none. */
JsonbValue *
field_of(JsonbContainer *object, TaskField field)
{
	return json_member(object, fields[field].name);
}

/* The same of a field that is itself an object or array; NULL for any other. */
JsonbContainer *
field_child(JsonbContainer *object, TaskField field)
{
	return json_child(object, fields[field].name);
}
