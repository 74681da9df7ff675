/*
 * task_instances.c
 *		Compare a run's rows of task_instance with a plan, and have the differences written.
 *
 * Runs connected to SPI and in the name of Airflow's owner (owner_scope.h).
 */
#include "task_instances.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "tcop/pquery.h"

#include "instances/derived_columns.h"
#include "instances/task_instance_writes.h"
#include "util/query.h"
#include "util/uuid_v7.h"

/* An existing task instance of the run. */
typedef struct ExistingRow
{
	pg_uuid_t id;
	pg_uuid_t version;
	char *task_id;
	int32 map_index;
	DerivedValues derived;
} ExistingRow;

/* The work on one run. */
typedef struct Reconciliation
{
	const AirflowTables *tables;
	const char *dag_id;
	const char *run_id;
	const pg_uuid_t *version;
	const TaskPlan *wanted;
	const TaskPlan *requested; /* or NULL */

	int existing_count;
	ExistingRow *existing;
	bool left_empty[DERIVED_COLUMNS]; /* columns that Airflow does not fill here */

	ExistingRow **sibling; /* for each wanted task: one of its existing rows */
	bool **present;		   /* for each wanted task: which of its rows exist */
	int delete_count;
	Datum *deletes;
	RowList inserts;
	RowList updates;
} Reconciliation;

static void
read_existing(Reconciliation *work)
{
	static KeptPlan plan;
	MemoryContext context = CurrentMemoryContext;
	QueryArgs args = {0};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT id, dag_version_id, task_id, map_index");
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", %s", derived_columns[i].name);
	appendStringInfo(&sql, " FROM %s.task_instance WHERE dag_id = $1 AND run_id = $2",
					 work->tables->quoted_schema);
	arg_text(&args, work->dag_id);
	arg_text(&args, work->run_id);
	query_run_kept(&plan, sql.data, &args, 0);

	work->existing_count = SPI_processed;
	work->existing = palloc0(Max(SPI_processed, 1) * sizeof(ExistingRow));
	for (int row = 0; row < work->existing_count; row++)
	{
		ExistingRow *existing = &work->existing[row];

		existing->id = row_uuid(row, 1);
		if (!row_is_null(row, 2))
			existing->version = row_uuid(row, 2);
		existing->task_id = row_required_text(row, 3);
		existing->map_index = row_int(row, 4);
		for (int i = 0; i < DERIVED_COLUMNS; i++)
			existing->derived.values[i] =
				row_copy(row, 5 + i, derived_columns[i].type, context, &existing->derived.nulls[i]);
	}
}

/*
 * At commit Airflow has inserted the run's task instances. When somebody made deferred constraints
 * immediate before it could, we are inside that statement, and it is too early to set them: Airflow
 * would still insert its own.
 */
static void
check_at_commit(const Reconciliation *work)
{
	if (ActivePortal != NULL && work->existing_count == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the run has no task instances yet"),
						errdetail("Constraints were made immediate before the commit.")));
}

/*
 * Which columns does Airflow leave empty although the DAG has a value for them? So it does with
 * task_display_name where a task_instance_mutation_hook is set (DagRun._get_task_creator).
 */
static void
find_left_empty(Reconciliation *work)
{
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		work->left_empty[i] = work->requested != NULL && work->existing_count > 0;

	for (int row = 0; work->requested != NULL && row < work->existing_count; row++)
	{
		const PlannedTask *task = task_plan_find(work->requested, work->existing[row].task_id);

		for (int i = 0; i < DERIVED_COLUMNS; i++)
			if (task == NULL || planned_is_null(i, task) || !work->existing[row].derived.nulls[i])
				work->left_empty[i] = false;
	}
}

/*
 * The values that a row of "task" gets. "own" is the row as Airflow created it, or for a row that
 * is missing another one of the same task, or NULL. It has what the plan does not know, when a run
 * that fails gets back what Airflow asked for.
 */
static void
decide_values(const Reconciliation *work, const PlannedTask *task, const ExistingRow *own,
			  DerivedValues *result)
{
	const PlannedTask *before =
		work->requested && own ? task_plan_find(work->requested, task->task_id) : NULL;

	derived_from_plan(result, task);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		if (work->left_empty[i])
			result->nulls[i] = true;
		else if (own != NULL &&
				 (!planned_is_known(i, task) || (before != NULL && planned_equal(i, before, task))))
			derived_copy(i, result, &own->derived);
	}
}

static void
sort_existing_row(Reconciliation *work, ExistingRow *row)
{
	PlannedTask *task = task_plan_find(work->wanted, row->task_id);
	bool wanted = task != NULL && planned_task_has_row(task, row->map_index);
	bool changed = memcmp(&row->version, work->version, sizeof(row->version)) != 0;
	DerivedValues values;
	int number;

	if (!wanted)
		work->deletes[work->delete_count++] = UUIDPGetDatum(&row->id);
	if (task == NULL)
		return;

	number = task - work->wanted->tasks;
	work->sibling[number] = row;
	if (!wanted)
		return;
	work->present[number][Max(row->map_index, 0)] = true;
	decide_values(work, task, row, &values);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		changed = changed || !derived_equal(i, &values, &row->derived);
	if (changed)
	{
		WantedRow *update = row_list_append(&work->updates);

		update->id = row->id;
		update->derived = values;
	}
}

static void
add_missing_rows(Reconciliation *work, int number)
{
	const PlannedTask *task = &work->wanted->tasks[number];
	int rows = Max(task->instances, 1);
	DerivedValues values;
	bool decided = false;

	for (int i = 0; i < rows; i++)
	{
		WantedRow *insert;

		if (work->present[number][i])
			continue;
		if (work->sibling[number] == NULL)
			planned_task_require_known(task);
		if (!decided)
			decide_values(work, task, work->sibling[number], &values);
		decided = true;
		insert = row_list_append(&work->inserts);
		uuid_v7(&insert->id);
		insert->task_id = task->task_id;
		insert->map_index = task->instances == NOT_EXPANDED ? -1 : i;
		insert->derived = values;
	}
}

/* Sort every row, existing or wanted, into those to delete, to update and to insert. */
static void
compare_rows(Reconciliation *work)
{
	work->deletes = palloc(Max(work->existing_count, 1) * sizeof(Datum));
	work->sibling = palloc0(Max(work->wanted->count, 1) * sizeof(ExistingRow *));
	work->present = palloc(Max(work->wanted->count, 1) * sizeof(bool *));
	for (int i = 0; i < work->wanted->count; i++)
		work->present[i] = palloc0(Max(work->wanted->tasks[i].instances, 1) * sizeof(bool));

	for (int i = 0; i < work->existing_count; i++)
		sort_existing_row(work, &work->existing[i]);
	for (int i = 0; i < work->wanted->count; i++)
		add_missing_rows(work, i);
}

/*
 * Make the run's task instances those of the wanted plan. The requested one is what they were
 * created from, where that is known. "left_empty" tells which columns Airflow has left empty, NULL
 * that the rows are as Airflow created them and show it. Inserts come first: they copy from a row
 * that may have to go.
 */
void
task_instances_apply(const AirflowTables *tables, const char *dag_id, const char *run_id,
					 const pg_uuid_t *version, const RunPlans *plans, const bool *left_empty)
{
	Reconciliation work = {.tables = tables,
						   .dag_id = dag_id,
						   .run_id = run_id,
						   .version = version,
						   .wanted = plans->wanted,
						   .requested = plans->requested};

	read_existing(&work);
	check_at_commit(&work);
	if (left_empty != NULL)
		memcpy(work.left_empty, left_empty, sizeof(work.left_empty));
	else
		find_left_empty(&work);
	compare_rows(&work);
	if (work.inserts.count > 0)
		task_instances_insert(tables, dag_id, run_id, version, &work.inserts,
							  work.existing_count > 0 ? &work.existing[0].id : NULL);
	if (work.updates.count > 0)
		task_instances_update(tables, version, &work.updates);
	if (work.delete_count > 0)
		task_instances_delete(tables, work.deletes, work.delete_count);
}
