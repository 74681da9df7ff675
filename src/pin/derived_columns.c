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

/* The values that a plan has for a task. */
void
derived_from_plan(DerivedValues *derived, const PlannedTask *task)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		const char *field = (const char *) task + derived_columns[i].offset;

		derived->nulls[i] = false;
		if (derived_columns[i].type == INT4OID)
			derived->values[i] = Int32GetDatum(*(const int32 *) field);
		else if (*(void *const *) field == NULL)
			derived->nulls[i] = true;
		else if (derived_columns[i].type == TEXTOID)
			derived->values[i] = CStringGetTextDatum(*(char *const *) field);
		else
			derived->values[i] = PointerGetDatum(*(void *const *) field);
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
