/*
 * task_instances.c
 *		Make a run's rows of task_instance those of a plan.
 *
 * Everything here runs connected to SPI and in the name of Airflow's owner (owner_scope.h).
 */
#include "task_instances.h"

#include <sys/time.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "tcop/pquery.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "util/query.h"

/* A column of task_instance that follows from the DAG, and where a plan has its value. */
typedef struct DerivedColumn
{
	const char *name;
	Oid type;
	size_t offset;
} DerivedColumn;

static const DerivedColumn derived_columns[] = {
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

#define DERIVED_COLUMNS ((int) lengthof(derived_columns))

/* Values of the derived columns: of a plan, of an existing row, or of a row to be written. */
typedef struct DerivedValues
{
	Datum values[lengthof(derived_columns)];
	bool nulls[lengthof(derived_columns)];
} DerivedValues;

/* An existing task instance of the run. */
typedef struct ExistingRow
{
	pg_uuid_t id;
	pg_uuid_t version;
	char *task_id;
	int32 map_index;
	DerivedValues derived;
} ExistingRow;

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
	bool left_empty[lengthof(derived_columns)]; /* columns that Airflow does not fill here */

	ExistingRow **sibling; /* for each wanted task: one of its existing rows */
	bool **present;		   /* for each wanted task: which of its rows exist */
	int delete_count;
	Datum *deletes;
	RowList inserts;
	RowList updates;
} Reconciliation;

static void
values_of_plan(DerivedValues *derived, const PlannedTask *task)
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

static bool
same_value(int column, const DerivedValues *a, const DerivedValues *b)
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

static void
copy_value(int column, DerivedValues *to, const DerivedValues *from)
{
	to->values[column] = from->values[column];
	to->nulls[column] = from->nulls[column];
}

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
		DerivedValues planned;

		if (task != NULL)
			values_of_plan(&planned, task);
		for (int i = 0; i < DERIVED_COLUMNS; i++)
			if (task == NULL || planned.nulls[i] || !work->existing[row].derived.nulls[i])
				work->left_empty[i] = false;
	}
}

static bool
is_wanted(const PlannedTask *task, int32 map_index)
{
	if (task == NULL)
		return false;
	if (task->instances == NOT_EXPANDED)
		return map_index == -1;
	return map_index >= 0 && map_index < task->instances;
}

/*
 * The values that a row of "task" gets. "own" is the row as Airflow created it, or for a row that
 * is missing another one of the same task, or NULL.
 */
static void
decide_values(const Reconciliation *work, const PlannedTask *task, const ExistingRow *own,
			  DerivedValues *result)
{
	const PlannedTask *before =
		work->requested && own ? task_plan_find(work->requested, task->task_id) : NULL;
	DerivedValues requested;

	values_of_plan(result, task);
	if (before != NULL)
		values_of_plan(&requested, before);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		if (work->left_empty[i])
			result->nulls[i] = true;
		else if (before != NULL && same_value(i, &requested, result))
			copy_value(i, result, &own->derived);
	}
}

static WantedRow *
append_row(RowList *list)
{
	if (list->count == list->capacity)
	{
		list->capacity = Max(list->capacity * 2, 32);
		list->rows = list->rows ? repalloc_huge(list->rows, list->capacity * sizeof(WantedRow))
								: palloc(list->capacity * sizeof(WantedRow));
	}
	return &list->rows[list->count++];
}

static void
sort_existing_row(Reconciliation *work, ExistingRow *row)
{
	PlannedTask *task = task_plan_find(work->wanted, row->task_id);
	bool changed = memcmp(&row->version, work->version, sizeof(row->version)) != 0;
	DerivedValues values;
	int number;

	if (!is_wanted(task, row->map_index))
		work->deletes[work->delete_count++] = UUIDPGetDatum(&row->id);
	if (task == NULL)
		return;

	number = task - work->wanted->tasks;
	work->sibling[number] = row;
	if (!is_wanted(task, row->map_index))
		return;
	work->present[number][Max(row->map_index, 0)] = true;
	decide_values(work, task, row, &values);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		changed = changed || !same_value(i, &values, &row->derived);
	if (changed)
	{
		WantedRow *update = append_row(&work->updates);

		update->id = row->id;
		update->derived = values;
	}
}

/*
 * A UUID of version 7, as Airflow gives every task instance: milliseconds since 1970, then random.
 */
static void
uuid_v7(pg_uuid_t *uuid)
{
	struct timeval now;
	uint64 milliseconds;

	if (!pg_strong_random(uuid->data, UUID_LEN))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate random values for a UUID")));
	gettimeofday(&now, NULL);
	milliseconds = (uint64) now.tv_sec * 1000 + now.tv_usec / 1000;
	for (int i = 0; i < 6; i++)
		uuid->data[i] = (unsigned char) (milliseconds >> (8 * (5 - i)));
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x70;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
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
		if (!decided)
			decide_values(work, task, work->sibling[number], &values);
		decided = true;
		insert = append_row(&work->inserts);
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

static void
arg_array(QueryArgs *args, Oid element, Datum *values, bool *nulls, int count)
{
	int dims[] = {count};
	int lower[] = {1};
	int16 length;
	bool byval;
	char align;
	ArrayType *array;

	get_typlenbyvalalign(element, &length, &byval, &align);
	array = construct_md_array(values, nulls, 1, dims, lower, element, length, byval, align);
	arg_datum(args, get_array_type(element), PointerGetDatum(array));
}

/* The ids of the rows, and one array for each derived column. */
static void
arg_derived(QueryArgs *args, const RowList *list)
{
	Datum *values = palloc(list->count * sizeof(Datum));
	bool *nulls = palloc(list->count * sizeof(bool));

	for (int row = 0; row < list->count; row++)
		values[row] = UUIDPGetDatum(&list->rows[row].id);
	arg_array(args, UUIDOID, values, NULL, list->count);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		for (int row = 0; row < list->count; row++)
		{
			values[row] = list->rows[row].derived.values[i];
			nulls[row] = list->rows[row].derived.nulls[i];
		}
		arg_array(args, derived_columns[i].type, values, nulls, list->count);
	}
}

/* "unnest($first, $first + 1, ...) AS u (id, task_display_name, ...". */
static void
append_unnest(StringInfo sql, int first, int more)
{
	appendStringInfoString(sql, " FROM unnest(");
	for (int i = 0; i < 1 + DERIVED_COLUMNS + more; i++)
		appendStringInfo(sql, "%s$%d", i > 0 ? ", " : "", first + i);
	appendStringInfoString(sql, ") AS u (id");
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(sql, ", %s", derived_columns[i].name);
}

static void
delete_rows(Reconciliation *work)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_array(&args, UUIDOID, work->deletes, NULL, work->delete_count);
	query_run_kept(
		&plan,
		psprintf("DELETE FROM %s.task_instance WHERE id = ANY ($1)", work->tables->quoted_schema),
		&args, 0);
}

static void
update_rows(Reconciliation *work)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	StringInfoData sql;

	arg_uuid(&args, work->version);
	arg_derived(&args, &work->updates);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s.task_instance t SET dag_version_id = $1",
					 work->tables->quoted_schema);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", %1$s = u.%1$s", derived_columns[i].name);
	append_unnest(&sql, 2, 0);
	appendStringInfoString(&sql, ") WHERE t.id = u.id");
	query_run_kept(&plan, sql.data, &args, 0);
}

static bool
is_written_explicitly(const char *column)
{
	static const char *const names[] = {"id",		 "dag_id",		   "run_id", "task_id",
										"map_index", "dag_version_id", "state",	 "context_carrier"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (strcmp(column, names[i]) == 0)
			return true;
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		if (strcmp(column, derived_columns[i].name) == 0)
			return true;
	return false;
}

/*
 * The columns that have nothing to do with the DAG, each after a ", " and "prefix", to be taken
 * over from another task instance that Airflow created in the same run.
 */
static char *
other_columns(const AirflowTables *tables, const char *prefix)
{
	Relation relation = table_open(tables->task_instance, AccessShareLock);
	TupleDesc desc = RelationGetDescr(relation);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && !attribute->attgenerated &&
			!is_written_explicitly(NameStr(attribute->attname)))
			appendStringInfo(&list, ", %s%s", prefix,
							 quote_identifier(NameStr(attribute->attname)));
	}
	table_close(relation, AccessShareLock);
	return list.data;
}

/*
 * The W3C trace context of a new task instance: the run's trace with a span of its own, as
 * new_task_run_carrier (airflow/_shared/observability/traces) makes it.
 */
#define NEW_CARRIER                                                                                \
	"CASE WHEN length(t.context_carrier ->> 'traceparent') = 55 THEN"                              \
	" jsonb_set(t.context_carrier::jsonb, '{traceparent}', to_jsonb(overlay("                      \
	"t.context_carrier ->> 'traceparent' placing substr(md5(u.id::text), 1, 16) from 37)))"        \
	" ELSE t.context_carrier::jsonb END"

static char *
insert_sql(Reconciliation *work, bool has_template)
{
	const char *carrier = "NULL";
	StringInfoData sql;
	Oid carrier_type;

	carrier_type = get_atttype(work->tables->task_instance,
							   get_attnum(work->tables->task_instance, "context_carrier"));
	if (has_template)
		carrier = NEW_CARRIER;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO %s.task_instance (id, dag_id, run_id, task_id, map_index,"
					 " dag_version_id, state, context_carrier",
					 work->tables->quoted_schema);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", %s", derived_columns[i].name);
	appendStringInfoString(&sql, has_template ? other_columns(work->tables, "")
											  : ", try_number, hostname, unixname, updated_at");
	appendStringInfo(&sql, ") SELECT u.id, $1, $2, u.task_id, u.map_index, $3, NULL, (%s)::%s",
					 carrier, format_type_be(carrier_type));
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", u.%s", derived_columns[i].name);
	if (has_template)
		appendStringInfoString(&sql, other_columns(work->tables, "t."));
	else
		appendStringInfo(&sql,
						 ", 0, '', (SELECT l.unixname FROM %s.task_instance l"
						 " WHERE l.dag_id = $1 ORDER BY l.id DESC LIMIT 1),"
						 " clock_timestamp()",
						 work->tables->quoted_schema);
	append_unnest(&sql, 5, 2);
	appendStringInfoString(&sql, ", task_id, map_index)");
	if (has_template)
		appendStringInfo(&sql, ", %s.task_instance t WHERE t.id = $4", work->tables->quoted_schema);
	else
		appendStringInfoString(&sql, " WHERE $4 IS NULL");
	return sql.data;
}

static void
insert_rows(Reconciliation *work)
{
	static KeptPlan plans[2];
	bool has_template = work->existing_count > 0;
	int count = work->inserts.count;
	Datum *task_ids = palloc(count * sizeof(Datum));
	Datum *map_indexes = palloc(count * sizeof(Datum));
	QueryArgs args = {0};

	for (int i = 0; i < count; i++)
	{
		task_ids[i] = CStringGetTextDatum(work->inserts.rows[i].task_id);
		map_indexes[i] = Int32GetDatum(work->inserts.rows[i].map_index);
	}
	arg_text(&args, work->dag_id);
	arg_text(&args, work->run_id);
	arg_uuid(&args, work->version);
	arg_uuid(&args, has_template ? &work->existing[0].id : NULL);
	arg_derived(&args, &work->inserts);
	arg_array(&args, TEXTOID, task_ids, NULL, count);
	arg_array(&args, INT4OID, map_indexes, NULL, count);
	query_run_kept(&plans[has_template], insert_sql(work, has_template), &args, 0);
}

/*
 * Make the run's task instances those of "wanted". "requested" is the plan that Airflow created
 * them from, or NULL when that is not known. Inserts come first: they copy from a row that may
 * have to go.
 */
void
task_instances_apply(const AirflowTables *tables, const char *dag_id, const char *run_id,
					 const pg_uuid_t *version, const TaskPlan *wanted, const TaskPlan *requested)
{
	Reconciliation work = {.tables = tables,
						   .dag_id = dag_id,
						   .run_id = run_id,
						   .version = version,
						   .wanted = wanted,
						   .requested = requested};

	read_existing(&work);
	check_at_commit(&work);
	find_left_empty(&work);
	compare_rows(&work);
	if (work.inserts.count > 0)
		insert_rows(&work);
	if (work.updates.count > 0)
		update_rows(&work);
	if (work.delete_count > 0)
		delete_rows(&work);
}

static void
raise_unknown(const PlannedTask *task)
{
	if (task->unknown_weight_rule != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("task \"%s\" has the custom priority weight rule \"%s\"", task->task_id,
						task->unknown_weight_rule),
				 errdetail("No earlier run of this version tells its weight, or they differ.")));
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("the executor_config of task \"%s\" cannot be written: %s",
						   task->task_id, task->unknown_executor_config),
					errdetail("No earlier run of this version tells it, or they differ.")));
}

static bool
is_unknown(const PlannedTask *task)
{
	return task->unknown_weight_rule != NULL || task->unknown_executor_config != NULL;
}

/* What earlier runs of the version have for a task, as long as all of them agree. */
static void
fill_task(PlannedTask *task, uint64 row, MemoryContext context)
{
	bool isnull;

	if (task->unknown_weight_rule != NULL && row_int(row, 2) == 1)
	{
		task->priority_weight = row_int(row, 3);
		task->unknown_weight_rule = NULL;
	}
	if (task->unknown_executor_config != NULL && row_int(row, 4) == 1)
	{
		Datum value = row_copy(row, 5, BYTEAOID, context, &isnull);

		task->executor_config = isnull ? NULL : DatumGetByteaP(value);
		task->unknown_executor_config = NULL;
	}
}

/*
 * Fill in what the plan could not compute from task instances that Airflow itself created: those
 * of the newest runs of the same version, before a retry could change them. Raises an error that
 * names the first task for which there is none, or for which they differ.
 */
void
task_instances_fill_unknown(const AirflowTables *tables, const char *dag_id,
							const pg_uuid_t *version, TaskPlan *plan)
{
	bool needed = false;
	QueryArgs args = {0};

	for (int i = 0; i < plan->count; i++)
		needed = needed || is_unknown(&plan->tasks[i]);
	if (!needed)
		return;

	arg_text(&args, dag_id);
	arg_uuid(&args, version);
	query_run(psprintf("SELECT t.task_id::text, count(DISTINCT t.priority_weight)::int,"
					   " min(t.priority_weight),"
					   " count(DISTINCT coalesce(t.executor_config, ''))::int,"
					   " (array_agg(t.executor_config))[1]"
					   " FROM %1$s.task_instance t WHERE t.dag_id = $1 AND t.dag_version_id = $2"
					   " AND t.try_number <= 1 AND t.run_id IN (SELECT r.run_id FROM %1$s.dag_run r"
					   " WHERE r.dag_id = $1 AND r.created_dag_version_id = $2"
					   " ORDER BY r.id DESC LIMIT 10) GROUP BY t.task_id",
					   tables->quoted_schema),
			  &args, false, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		PlannedTask *task = task_plan_find(plan, row_text(row, 1));

		if (task != NULL)
			fill_task(task, row, CurrentMemoryContext);
	}
	for (int i = 0; i < plan->count; i++)
		if (is_unknown(&plan->tasks[i]))
			raise_unknown(&plan->tasks[i]);
}
