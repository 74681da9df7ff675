/*
 * held_row.c
 *		A row of "dag" as its Airflow would have written it from a certain version.
 *
 * The columns are those that DagModelOperation.update_dags() (airflow/dag_processing/collection.py),
 * DagModel.calculate_dagrun_date_fields() (airflow/models/dag.py) and the scheduler write. Which of
 * them there are depends on the Airflow version, so each is looked up by name; one of another type than
 * Airflow gives it is left alone.
 */
#include "hold/held_row.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "hold/configured_limits.h"
#include "hold/dag_runs.h"
#include "util/owner_scope.h"
#include "util/query.h"

#define THROTTLE_FUNCTION_ARGS 1

/* The trigger of throttle(), whose argument is the highest max_active_runs. */
#define THROTTLE_TRIGGER "airflow_pin_throttle"

#define MAX_COLUMNS 24

/* A row, and the columns of it that are to change. */
typedef struct RowChange
{
	TriggerData *trigger;
	TupleDesc desc;
	HeapTuple row; /* as it would be written */
	int count;
	int columns[MAX_COLUMNS];
	Datum values[MAX_COLUMNS];
	bool nulls[MAX_COLUMNS];
} RowChange;

static const char *const next_run_columns[] = {
	"next_dagrun",
	"next_dagrun_data_interval_start",
	"next_dagrun_data_interval_end",
	"next_dagrun_create_after",
};

static bool
is_type(Oid actual, Oid wanted)
{
	return actual == wanted || (wanted == TEXTOID && actual == VARCHAROID) ||
		   (wanted == JSONOID && actual == JSONBOID);
}

/* Number of a column that has the type that Airflow gives it; 0: there is none. */
static int
column_number(TupleDesc desc, const char *name, Oid type)
{
	int number = SPI_fnumber(desc, name);

	return number > 0 && is_type(SPI_gettypeid(desc, number), type) ? number : 0;
}

/* Set a column, if there is one, and if that changes it. */
static void
set_column(RowChange *change, const char *name, Oid type, Datum value, bool isnull)
{
	int number = column_number(change->desc, name, type);
	Form_pg_attribute attribute;
	bool was_null;
	Datum was;

	if (number == 0)
		return;
	attribute = TupleDescAttr(change->desc, number - 1);
	was = heap_getattr(change->row, number, change->desc, &was_null);
	if (was_null == isnull &&
		(isnull || datum_image_eq(was, value, attribute->attbyval, attribute->attlen)))
		return;
	Assert(change->count < MAX_COLUMNS);
	change->columns[change->count] = number;
	change->values[change->count] = value;
	change->nulls[change->count++] = isnull;
}

static void
set_bool(RowChange *change, const char *name, bool value)
{
	set_column(change, name, BOOLOID, BoolGetDatum(value), false);
}

static void
set_text(RowChange *change, const char *name, const char *value)
{
	set_column(change, name, TEXTOID, CStringGetTextDatum(value), false);
}

/* JSON text, in a column of type json or jsonb. */
static void
set_json(RowChange *change, const char *name, const char *value)
{
	int number = column_number(change->desc, name, JSONOID);

	if (number == 0)
		return;
	if (SPI_gettypeid(change->desc, number) == JSONBOID)
		set_column(change, name, JSONOID, DirectFunctionCall1(jsonb_in, CStringGetDatum(value)),
				   false);
	else
		set_column(change, name, JSONOID, CStringGetTextDatum(value), false);
}

/* The limit that throttle() has put on max_active_runs; PG_INT32_MAX: none. */
static int32
throttled_to(Relation dag)
{
	const TriggerDesc *triggers = dag->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, THROTTLE_TRIGGER) == 0 &&
			trigger->tgnargs == THROTTLE_FUNCTION_ARGS)
			return pg_strtoint32(trigger->tgargs[0]);
	}
	return PG_INT32_MAX;
}

/* The limit that the version has, or leaves to the configuration. */
static int32
limit_of(const AirflowTables *tables, int32 limit, LimitName name)
{
	return limit == LIMIT_CONFIGURED ? configured_limit(tables, name) : limit;
}

static void
set_limit(RowChange *change, LimitName name, int32 limit)
{
	set_column(change, limit_column(name), INT4OID, Int32GetDatum(limit), false);
}

static char *
row_text_of(const RowChange *change, HeapTuple row, const char *name)
{
	int number = column_number(change->desc, name, TEXTOID);

	return number > 0 ? SPI_getvalue(row, change->desc, number) : NULL;
}

/* The description that another DAG with the same timetable has; "": none has it. */
static const char *
description_elsewhere(const AirflowTables *tables, const char *summary)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, summary);
	owner_scope_enter_foreign(&scope, tables->dag);
	query_run_kept(&plan,
				   psprintf("SELECT timetable_description FROM %s.dag WHERE timetable_summary = $1"
							" AND timetable_description <> '' LIMIT 1",
							tables->quoted_schema),
				   &args, 1);
	owner_scope_leave(&scope);
	return SPI_processed > 0 ? row_text(0, 1) : "";
}

/*
 * Describe a cron expression in words, as Airflow has done for this DAG before, or does now, or for
 * another one.
 */
static const char *
cron_description(const RowChange *change, const AirflowTables *tables, const char *summary)
{
	HeapTuple rows[] = {change->trigger->tg_trigtuple, change->trigger->tg_newtuple};

	for (int i = 0; i < (int) lengthof(rows); i++)
	{
		char *other = row_text_of(change, rows[i], "timetable_summary");
		char *description = row_text_of(change, rows[i], "timetable_description");

		if (other != NULL && strcmp(other, summary) == 0 && description != NULL &&
			description[0] != '\0')
			return description;
	}
	return description_elsewhere(tables, summary);
}

static void
set_timetable(RowChange *change, const AirflowTables *tables, const VersionSchedule *version)
{
	const TimetableKind kind = version->schedule.kind;
	const char *description = version->description;

	if (description == NULL)
		description = cron_description(change, tables, version->summary);
	set_text(change, "timetable_type", version->schedule.type_name);
	set_text(change, "timetable_summary", version->summary);
	set_text(change, "timetable_description", description);
	set_bool(change, "timetable_partitioned", false);
	set_bool(change, "timetable_periodic",
			 kind != TIMETABLE_NULL && kind != TIMETABLE_ONCE && kind != TIMETABLE_CONTINUOUS);
	set_json(change, "partition_mapper_info", "[]");
}

static void
set_limits(RowChange *change, const AirflowTables *tables, const VersionSchedule *version)
{
	const Schedule *schedule = &version->schedule;
	const int32 runs = limit_of(tables, schedule->max_active_runs, LIMIT_ACTIVE_RUNS);

	set_limit(change, LIMIT_ACTIVE_TASKS,
			  limit_of(tables, schedule->max_active_tasks, LIMIT_ACTIVE_TASKS));
	set_limit(change, LIMIT_ACTIVE_RUNS, Min(runs, throttled_to(change->trigger->tg_relation)));
	set_limit(change, LIMIT_FAILED_RUNS,
			  limit_of(tables, schedule->max_consecutive_failed_dag_runs, LIMIT_FAILED_RUNS));
	set_bool(change, "has_task_concurrency_limits", schedule->has_task_concurrency_limits);
	set_bool(change, "fail_fast", schedule->fail_fast);
	set_json(change, "allowed_run_types", version->allowed_run_types);
}

static void
set_time(RowChange *change, const char *name, bool exists, TimestampTz time)
{
	set_column(change, name, TIMESTAMPTZOID, TimestampTzGetDatum(time), !exists);
}

static void
set_next_run(RowChange *change, const NextRun *next)
{
	set_time(change, "next_dagrun", next->exists, next->logical_date);
	set_time(change, "next_dagrun_data_interval_start", next->exists, next->interval.start);
	set_time(change, "next_dagrun_data_interval_end", next->exists, next->interval.end);
	set_time(change, "next_dagrun_create_after", next->exists, next->run_after);
	set_column(change, "next_dagrun_partition_key", TEXTOID, (Datum) 0, true);
	set_column(change, "next_dagrun_partition_date", TIMESTAMPTZOID, (Datum) 0, true);
}

/*
 * Airflow 3.0 and 3.1 at the limit: the next run stays what it was, and is not created. In them the
 * scheduler looks at no other sign of it.
 */
static void
set_at_limit(RowChange *change)
{
	for (int i = 0; i < (int) lengthof(next_run_columns); i++)
	{
		int number = column_number(change->desc, next_run_columns[i], TIMESTAMPTZOID);
		bool isnull = true;
		Datum was = (Datum) 0;

		if (number > 0 && strcmp(next_run_columns[i], "next_dagrun_create_after") != 0)
			was = heap_getattr(change->trigger->tg_trigtuple, number, change->desc, &isnull);
		set_column(change, next_run_columns[i], TIMESTAMPTZOID, was, isnull);
	}
}

/* Is what the row says of the next run over, because there is such a run, or does it say nothing? */
static bool
next_run_is_stale(const RowChange *change, const AirflowTables *tables, const char *dag_id)
{
	int number = column_number(change->desc, "next_dagrun", TIMESTAMPTZOID);
	int after = column_number(change->desc, "next_dagrun_create_after", TIMESTAMPTZOID);
	bool isnull;
	Datum logical_date;

	if (number == 0 || after == 0 || heap_attisnull(change->row, after, change->desc))
		return true;
	logical_date = heap_getattr(change->row, number, change->desc, &isnull);
	return isnull || run_exists(tables, dag_id, DatumGetTimestampTz(logical_date));
}

/* What depends on the runs that there are. */
static void
set_runs(RowChange *change, const AirflowTables *tables, const char *dag_id,
		 const Schedule *schedule, bool anew)
{
	const int32 limit = limit_of(tables, schedule->max_active_runs, LIMIT_ACTIVE_RUNS);
	/* _RunInfo.calculate() does not count where nothing is scheduled */
	const int64 active = schedule->kind == TIMETABLE_NULL ? 0 : active_runs(tables, dag_id);
	const bool has_flag = column_number(change->desc, "exceeds_max_non_backfill", BOOLOID) > 0;
	NextRun next;

	if (has_flag)
		set_bool(change, "exceeds_max_non_backfill",
				 active >= Min(limit, throttled_to(change->trigger->tg_relation)));
	else if (active >= limit)
	{
		set_at_limit(change);
		return;
	}
	if (!anew && !next_run_is_stale(change, tables, dag_id))
		return;
	next_free_run(tables, dag_id, schedule, &next);
	set_next_run(change, &next);
}

static HeapTuple
changed_row(RowChange *change)
{
	if (change->count == 0)
		return change->row;
	return heap_modify_tuple_by_cols(change->row, change->desc, change->count, change->columns,
									 change->values, change->nulls);
}

/*
 * The row with what follows from the version, whose schedule can be computed; the same tuple where
 * nothing changes. A next run that is not yet over stays as it is, unless it is to be computed "anew".
 * Call it connected to SPI; the result is in the current memory context.
 */
HeapTuple
hold_row(TriggerData *trigger, const AirflowTables *tables, const char *dag_id,
		 const VersionSchedule *version, bool anew, HeapTuple row)
{
	RowChange change = {
		.trigger = trigger, .desc = RelationGetDescr(trigger->tg_relation), .row = row};

	set_timetable(&change, tables, version);
	set_limits(&change, tables, version);
	set_runs(&change, tables, dag_id, &version->schedule, anew);
	return changed_row(&change);
}

/* The row without a next run: the next parse computes it. */
HeapTuple
clear_next_run(TriggerData *trigger, HeapTuple row)
{
	RowChange change = {
		.trigger = trigger, .desc = RelationGetDescr(trigger->tg_relation), .row = row};
	NextRun none = {0};

	set_next_run(&change, &none);
	return changed_row(&change);
}

HeapTuple
set_flag(TriggerData *trigger, HeapTuple row, const char *column, bool value)
{
	RowChange change = {
		.trigger = trigger, .desc = RelationGetDescr(trigger->tg_relation), .row = row};

	set_bool(&change, column, value);
	return changed_row(&change);
}

bool
flag_is_set(TriggerData *trigger, HeapTuple row, const char *column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	int number = column_number(desc, column, BOOLOID);
	bool isnull = true;
	Datum value = number > 0 ? heap_getattr(row, number, desc, &isnull) : (Datum) 0;

	return !isnull && DatumGetBool(value);
}

/* Does the update change the column? */
bool
column_changes(TriggerData *trigger, const char *column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	int number = SPI_fnumber(desc, column);
	bool no_old;
	bool no_new;
	Datum old;
	Datum new;

	if (number <= 0)
		return false;
	old = heap_getattr(trigger->tg_trigtuple, number, desc, &no_old);
	new = heap_getattr(trigger->tg_newtuple, number, desc, &no_new);
	if (no_old || no_new)
		return no_old != no_new;
	return !datum_image_eq(old, new, TupleDescAttr(desc, number - 1)->attbyval,
						   TupleDescAttr(desc, number - 1)->attlen);
}

/* Does it change what the row says of the next run? */
bool
next_run_changes(TriggerData *trigger)
{
	for (int i = 0; i < (int) lengthof(next_run_columns); i++)
		if (column_changes(trigger, next_run_columns[i]))
			return true;
	return false;
}
