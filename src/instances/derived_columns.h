/*
 * derived_columns.h
 *		The columns of task_instance that follow from the DAG, and rows of their values.
 */
#ifndef INSTANCES_DERIVED_COLUMNS_H
#define INSTANCES_DERIVED_COLUMNS_H

#include "postgres.h"

#include "utils/uuid.h"

#include "tasks/task_plan.h"

#define DERIVED_COLUMNS 10

/* A column of task_instance that follows from the DAG, and where a plan has its value. */
typedef struct DerivedColumn
{
	const char *name;
	Oid type;
	size_t offset;
} DerivedColumn;

/* Values of the derived columns: of a plan, of an existing row, or of a row to be written. */
typedef struct DerivedValues
{
	Datum values[DERIVED_COLUMNS];
	bool nulls[DERIVED_COLUMNS];
} DerivedValues;

/* A task instance to insert or to update. */
typedef struct WantedRow
{
	pg_uuid_t id;
	const char *task_id;
	int32 map_index;
	DerivedValues derived;
} WantedRow;

typedef struct RowList
{
	int count;
	int capacity;
	WantedRow *rows;
} RowList;

extern const DerivedColumn derived_columns[DERIVED_COLUMNS];

extern void *planned_pointer(int column, const PlannedTask *task);
extern bool planned_is_null(int column, const PlannedTask *task);
extern bool planned_is_known(int column, const PlannedTask *task);
extern bool planned_equal(int column, const PlannedTask *a, const PlannedTask *b);
extern void derived_from_plan(DerivedValues *derived, const PlannedTask *task);
extern bool derived_equal(int column, const DerivedValues *a, const DerivedValues *b);
extern void derived_copy(int column, DerivedValues *to, const DerivedValues *from);
extern WantedRow *row_list_append(RowList *list);

#endif
