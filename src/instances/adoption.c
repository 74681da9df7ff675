/*
 * adoption.c
 *		What a rewritten run's task instances become while they are inserted.
 *
 * Written again at commit, with all its indexes and foreign keys, a row costs more than Airflow's
 * own insert of it. So each row is made what it has to be before it gets into the table: it gets
 * the run's version and the values of the columns that follow from the DAG; one of a task that the
 * version does not have becomes one that is missing, or is left out. Each row that is missing then,
 * and whatever could not be told here, is left to reconcile.c, which compares all of them at
 * commit: nothing relies on what is done here.
 *
 * A row is made another one only when what it was can be told, so that a run that has to fail can
 * get back what Airflow asked for.
 */
#include "adoption.h"

#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "util/guarded.h"

/* Once a transaction takes more memory, most of it for plans, further runs are planned at commit. */
#define PLANS_LIMIT (64 * 1024 * 1024)

/* The columns of a row that change. */
typedef struct RowChange
{
	int count;
	int columns[DERIVED_COLUMNS + 3];
	Datum values[DERIVED_COLUMNS + 3];
	bool nulls[DERIVED_COLUMNS + 3];
} RowChange;

/* A row that is being inserted. */
typedef struct NewRow
{
	HeapTuple tuple;
	TupleDesc desc;
	const TaskInstanceColumns *columns;
	char *task_id;
	int32 map_index;
	bool left_empty[DERIVED_COLUMNS];
} NewRow;

/* GuardedCall: find the run and compute its plans, which live in the adoption's memory context. */
static void
make_plans(void *arg)
{
	Adoption *adoption = arg;
	AirflowTables tables;
	RunFacts facts;

	SPI_connect();
	airflow_tables(&tables, adoption->run->airflow_schema);
	adoption->active = changed_run_facts(adoption->run, &facts);
	if (adoption->active)
		changed_run_plan(&tables, adoption->run, &facts, adoption->context, &adoption->plans);
	SPI_finish();
}

static bool
text_fits(const char *value, int32 typmod)
{
	return value == NULL || typmod < VARHDRSZ || pg_mbstrlen(value) <= typmod - VARHDRSZ;
}

/* Is the value of the task known, and not too long for its column? */
static bool
is_settable(int column, const PlannedTask *task, TupleDesc desc, const TaskInstanceColumns *columns)
{
	return planned_is_known(column, task) &&
		   (derived_columns[column].type != TEXTOID ||
			text_fits(planned_pointer(column, task),
					  TupleDescAttr(desc, columns->derived[column] - 1)->atttypmod));
}

/* The same of all values, and its name. */
static bool
is_writable(const PlannedTask *task, TupleDesc desc, const TaskInstanceColumns *columns)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		if (!is_settable(i, task, desc, columns))
			return false;
	return text_fits(task->task_id, TupleDescAttr(desc, columns->task_id - 1)->atttypmod);
}

static bool
is_known(const PlannedTask *task)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		if (!planned_is_known(i, task))
			return false;
	return true;
}

static void
compare_plans(Adoption *adoption, TupleDesc desc, const TaskInstanceColumns *columns)
{
	const TaskPlan *wanted = adoption->plans.wanted;

	adoption->tasks = palloc0(Max(wanted->count, 1) * sizeof(AdoptedTask));
	for (int i = 0; i < wanted->count; i++)
	{
		AdoptedTask *task = &adoption->tasks[i];
		const PlannedTask *planned = &wanted->tasks[i];
		const PlannedTask *requested = task_plan_find(adoption->plans.requested, planned->task_id);

		task->origins = palloc0(Max(planned->instances, 1));
		task->is_addable = requested == NULL && is_writable(planned, desc, columns);
		for (int column = 0; requested != NULL && column < DERIVED_COLUMNS; column++)
			if (!planned_equal(column, planned, requested) &&
				is_settable(column, planned, desc, columns) && planned_is_known(column, requested))
				task->differs |= 1 << column;
	}
}

static bool
has_all_columns(const TaskInstanceColumns *columns)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		if (columns->derived[i] == 0)
			return false;
	return columns->task_id != 0 && columns->map_index != 0;
}

/*
 * Prepare for the run's rows; "run" must live as long as the transaction. Raises nothing but what
 * ends the transaction anyway.
 */
Adoption *
adoption_begin(const ChangedRun *run, TupleDesc desc, const TaskInstanceColumns *columns)
{
	Adoption *adoption = MemoryContextAllocZero(TopTransactionContext, sizeof(Adoption));
	MemoryContext saved;

	adoption->run = run;
	adoption->active = true;
	if (MemoryContextMemAllocated(TopTransactionContext, true) > PLANS_LIMIT)
		return adoption;
	adoption->context = AllocSetContextCreate(TopTransactionContext, "airflow_pin plans of a run",
											  ALLOCSET_DEFAULT_SIZES);
	if (guarded_call(make_plans, adoption) != NULL)
	{
		adoption->plans = (RunPlans){0};
		MemoryContextReset(adoption->context);
	}
	if (adoption->plans.requested == NULL || !has_all_columns(columns))
		return adoption;

	saved = MemoryContextSwitchTo(adoption->context);
	compare_plans(adoption, desc, columns);
	MemoryContextSwitchTo(saved);
	memset(adoption->left_empty, true, sizeof(adoption->left_empty));
	return adoption;
}

static void
change_column(RowChange *change, int column, Datum value, bool isnull)
{
	change->columns[change->count] = column;
	change->values[change->count] = value;
	change->nulls[change->count++] = isnull;
}

/*
 * Which columns has Airflow left empty in the row although the DAG has a value for them? See
 * find_left_empty() in task_instances.c, which asks that of all rows.
 */
static void
note_left_empty(Adoption *adoption, NewRow *row, const PlannedTask *requested)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		row->left_empty[i] = requested != NULL && !planned_is_null(i, requested) &&
							 heap_attisnull(row->tuple, row->columns->derived[i], row->desc);
		adoption->left_empty[i] = adoption->left_empty[i] && row->left_empty[i];
	}
}

/* The row gets the task's values in the columns of which "which" has the bits. */
static void
change_derived(RowChange *change, const NewRow *row, const PlannedTask *task, uint32 which)
{
	DerivedValues values;

	if (which == 0)
		return;
	derived_from_plan(&values, task);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		if ((which & (1 << i)) != 0)
			change_column(change, row->columns->derived[i], values.values[i],
						  values.nulls[i] || row->left_empty[i]);
}

/* The next row that Airflow will not insert; NULL when there is none left. */
static const PlannedTask *
next_missing(Adoption *adoption, int32 *map_index)
{
	const TaskPlan *wanted = adoption->plans.wanted;

	for (; adoption->next_task < wanted->count; adoption->next_task++, adoption->next_row = 0)
	{
		const PlannedTask *planned = &wanted->tasks[adoption->next_task];
		AdoptedTask *task = &adoption->tasks[adoption->next_task];

		if (!task->is_addable)
			continue;
		for (; adoption->next_row < Max(planned->instances, 1); adoption->next_row++)
			if (task->origins[adoption->next_row] == ROW_MISSING)
			{
				task->origins[adoption->next_row] = ROW_RENAMED;
				*map_index = planned->instances == NOT_EXPANDED ? -1 : adoption->next_row;
				return planned;
			}
	}
	return NULL;
}

/* Is the row one that the requested version's plan has, so that it can be brought back? */
static bool
is_restorable(const NewRow *row, const PlannedTask *requested)
{
	return requested != NULL && is_known(requested) &&
		   planned_task_has_row(requested, row->map_index);
}

/*
 * What becomes of the row. False: it is left out, unless it is the first: rows that are inserted at
 * commit take from another one what does not follow from the DAG.
 */
static bool
change_row(Adoption *adoption, NewRow *row, RowChange *change)
{
	const PlannedTask *requested = task_plan_find(adoption->plans.requested, row->task_id);
	const PlannedTask *task = task_plan_find(adoption->plans.wanted, row->task_id);
	bool is_taken = false;
	int32 map_index;

	note_left_empty(adoption, row, requested);
	if (task != NULL && planned_task_has_row(task, row->map_index))
	{
		AdoptedTask *adopted = &adoption->tasks[task - adoption->plans.wanted->tasks];
		uint8 *origin = &adopted->origins[Max(row->map_index, 0)];

		is_taken = *origin == ROW_RENAMED;
		if (!is_taken)
		{
			*origin = ROW_OWN;
			change_derived(change, row, task, adopted->differs);
			return true;
		}
	}
	if (!is_taken && !is_restorable(row, requested))
		return true;

	task = next_missing(adoption, &map_index);
	if (task == NULL)
		return adoption->rows == 0;
	change_column(change, row->columns->task_id, CStringGetTextDatum(task->task_id), false);
	change_column(change, row->columns->map_index, Int32GetDatum(map_index), false);
	change_derived(change, row, task, (1 << DERIVED_COLUMNS) - 1);
	return true;
}

/*
 * The row of the run as it has to be inserted, or NULL when it must not be; in the current memory
 * context.
 */
HeapTuple
adoption_change_row(Adoption *adoption, HeapTuple tuple, TupleDesc desc,
					const TaskInstanceColumns *columns)
{
	RowChange change = {0};
	NewRow row = {.tuple = tuple, .desc = desc, .columns = columns};
	bool no_task;
	bool no_index;

	if (!adoption->active)
		return tuple;
	change_column(&change, columns->version, UUIDPGetDatum(&adoption->run->effective), false);
	if (adoption->tasks != NULL)
	{
		Datum task_id = heap_getattr(tuple, columns->task_id, desc, &no_task);
		Datum map_index = heap_getattr(tuple, columns->map_index, desc, &no_index);

		if (no_task || no_index)
			return tuple; /* which the table refuses */
		row.task_id = TextDatumGetCString(task_id);
		row.map_index = DatumGetInt32(map_index);
		if (!change_row(adoption, &row, &change))
			return NULL;
		adoption->rows++;
	}
	return heap_modify_tuple_by_cols(tuple, desc, change.count, change.columns, change.values,
									 change.nulls);
}
