/*
 * derived_columns.c
 *		The columns of task_instance that follow from the DAG, and rows of their values.
 */
#include "derived_columns.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

const DerivedColumn derived_columns[DERIVED_COLUMNS] = {
	{"task_display_name", TEXTOID, offsetof(PlannedTask, task_display_name)},
	{"operator", TEXTOID, offsetof(PlannedTask, task_type)},
	{"custom_operator_name", TEXTOID, offsetof(PlannedTask, custom_operator_name)},
	{"queue", TEXTOID, offsetof(PlannedTask, queue)},
	{"pool", TEXTOID, offsetof(PlannedTask, pool)},
	{"executor", TEXTOID, offsetof(PlannedTask, executor)},
	{"executor_config", BYTEAOID, offsetof(PlannedTask, executor_config)},
	{"pool_slots", INT4OID, offsetof(PlannedTask, pool_slots)},
	{"max_tries", INT4OID, offsetof(PlannedTask, max_tries)},
	{"priority_weight", INT4OID, offsetof(PlannedTask, priority_weight)},
};

/* A plan's value of a number. */
static int32
planned_number(int column, const PlannedTask *task)
{
	return *(const int32 *) ((const char *) task + derived_columns[column].offset);
}

/* A plan's value of anything else: a C string or a bytea, NULL for SQL NULL. */
void *
planned_pointer(int column, const PlannedTask *task)
{
	return *(void *const *) ((const char *) task + derived_columns[column].offset);
}

bool
planned_is_null(int column, const PlannedTask *task)
{
	return derived_columns[column].type != INT4OID && planned_pointer(column, task) == NULL;
}

/* Does the plan alone have the value? */
bool
planned_is_known(int column, const PlannedTask *task)
{
	switch (derived_columns[column].offset)
	{
		case offsetof(PlannedTask, queue):
			return !task->queue_is_configured;
		case offsetof(PlannedTask, max_tries):
			return !task->retries_are_configured;
		case offsetof(PlannedTask, priority_weight):
			return task->unknown_weight_rule == NULL && task->configured_weights == NULL;
		case offsetof(PlannedTask, executor_config):
			return task->unknown_executor_config == NULL;
		default:
			return true;
	}
}

/* Do two plans have the same value, or NULL both? */
bool
planned_equal(int column, const PlannedTask *a, const PlannedTask *b)
{
	void *left;
	void *right;

	if (derived_columns[column].type == INT4OID)
		return planned_number(column, a) == planned_number(column, b);
	left = planned_pointer(column, a);
	right = planned_pointer(column, b);
	if (left == NULL || right == NULL)
		return left == right;
	if (derived_columns[column].type == TEXTOID)
		return strcmp(left, right) == 0;
	return VARSIZE(left) == VARSIZE(right) && memcmp(left, right, VARSIZE(left)) == 0;
}

/* The values that a plan has for a task. */
void
derived_from_plan(DerivedValues *derived, const PlannedTask *task)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		derived->nulls[i] = planned_is_null(i, task);
		if (derived->nulls[i])
			derived->values[i] = (Datum) 0;
		else if (derived_columns[i].type == INT4OID)
			derived->values[i] = Int32GetDatum(planned_number(i, task));
		else if (derived_columns[i].type == TEXTOID)
			derived->values[i] = CStringGetTextDatum(planned_pointer(i, task));
		else
			derived->values[i] = PointerGetDatum(planned_pointer(i, task));
	}
}

/* The same value, or NULL both? */
bool
derived_equal(int column, const DerivedValues *a, const DerivedValues *b)
{
	struct varlena *left;
	struct varlena *right;

	if (a->nulls[column] || b->nulls[column])
		return a->nulls[column] && b->nulls[column];
	if (derived_columns[column].type == INT4OID)
		return DatumGetInt32(a->values[column]) == DatumGetInt32(b->values[column]);
	left = PG_DETOAST_DATUM_PACKED(a->values[column]);
	right = PG_DETOAST_DATUM_PACKED(b->values[column]);
	return VARSIZE_ANY_EXHDR(left) == VARSIZE_ANY_EXHDR(right) &&
		   memcmp(VARDATA_ANY(left), VARDATA_ANY(right), VARSIZE_ANY_EXHDR(left)) == 0;
}

void
derived_copy(int column, DerivedValues *to, const DerivedValues *from)
{
	to->values[column] = from->values[column];
	to->nulls[column] = from->nulls[column];
}

/* Room for one more row at the end of the list. */
WantedRow *
row_list_append(RowList *list)
{
	if (list->count == list->capacity)
	{
		list->capacity = Max(list->capacity * 2, 32);
		list->rows = list->rows ? repalloc_huge(list->rows, list->capacity * sizeof(WantedRow))
								: palloc(list->capacity * sizeof(WantedRow));
	}
	return &list->rows[list->count++];
}
