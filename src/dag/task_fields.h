/*
 * task_fields.h
 *		The fields of a serialized task that are read.
 *
 * All others are left out where a DAG is stored as text (dag_text.c). A task is therefore read by
 * the fields of this list, never by a name that is not in it.
 */
#ifndef DAG_TASK_FIELDS_H
#define DAG_TASK_FIELDS_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef enum TaskField
{
	FIELD_CUSTOM_OPERATOR_NAME,
	FIELD_DISPLAY_NAME,
	FIELD_DISPLAY_NAME_ALIAS,
	FIELD_DOWNSTREAM_TASK_IDS,
	FIELD_DOWNSTREAM_TASK_IDS_ALIAS,
	FIELD_END_DATE,
	FIELD_EXECUTOR,
	FIELD_EXECUTOR_CONFIG,
	FIELD_EXPAND_INPUT,
	FIELD_EXPAND_INPUT_ATTR,
	FIELD_IS_MAPPED,
	FIELD_OP_KWARGS_EXPAND_INPUT,
	FIELD_PARTIAL_KWARGS,
	FIELD_POOL,
	FIELD_POOL_SLOTS,
	FIELD_PRIORITY_WEIGHT,
	FIELD_QUEUE,
	FIELD_RETRIES,
	FIELD_START_DATE,
	FIELD_TASK_ID,
	FIELD_TASK_TYPE,
	FIELD_WEIGHT_RULE
} TaskField;

extern const char *task_field_name(TaskField field);
extern bool is_task_field(const char *name, int length);
extern JsonbValue *field_of(JsonbContainer *object, TaskField field);
extern JsonbContainer *field_child(JsonbContainer *object, TaskField field);

#endif
