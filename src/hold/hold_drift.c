/*
 * hold_drift.c
 *		For pins(): is the schedule that the pinned version has in force?
 *
 * The row of "dag" was computed when it was written last, and the clock has gone on since: without catchup
 * the next run that it names may be an earlier one than what is computed now.
 */
#include "hold/hold_drift.h"

#include "catalog/namespace.h"
#include "utils/lsyscache.h"

#include "hold/dag_runs.h"
#include "hold/hold_note.h"
#include "hold/schedule_in_force.h"
#include "hold/version_schedule.h"
#include "relation/try_lock.h"
#include "settings.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* What "dag" says of a DAG. */
typedef struct DagRow
{
	char *summary;
	int32 max_active_tasks;
	bool has_next;
	TimestampTz next_dagrun;
	bool is_due; /* next_dagrun_create_after is set */
} DagRow;

/* What is looked at, for guarded_call(). */
typedef struct LookCall
{
	const AirflowTables *tables;
	const char *dag_id;
	const DagVersion *pinned;
	HoldDrift *drift;
} LookCall;

static bool
read_row(const LookCall *call, DagRow *row)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, call->dag_id);
	owner_scope_enter_foreign(&scope, call->tables->dag);
	query_run(psprintf("SELECT timetable_summary, max_active_tasks, next_dagrun IS NOT NULL,"
					   " next_dagrun, next_dagrun_create_after IS NOT NULL"
					   " FROM %s.dag WHERE dag_id = $1",
					   call->tables->quoted_schema),
			  &args, false, 1);
	owner_scope_leave(&scope);
	if (SPI_processed == 0)
		return false;
	row->summary = row_text(0, 1);
	row->max_active_tasks = row_int(0, 2);
	row->has_next = row_bool(0, 3);
	row->next_dagrun = row_timestamp(0, 4);
	row->is_due = row_bool(0, 5);
	return true;
}

/* Is the next run one that the schedule can have given at the last write? */
static bool
next_run_is_held(const LookCall *call, const DagRow *row, const Schedule *schedule)
{
	NextRun next;

	if (schedule->kind == TIMETABLE_CONTINUOUS)
		return true;
	next_free_run(call->tables, call->dag_id, schedule, &next);
	/* at the limit, Airflow 3.0 and 3.1 leave what was */
	if (call->tables->minor < AIRFLOW_3_2 && !row->is_due)
		return !next.exists || active_runs(call->tables, call->dag_id) > 0;
	if (next.exists != row->has_next)
		return false;
	if (!next.exists || (schedule->kind == TIMETABLE_ONCE && !schedule->has_earliest))
		return true;
	return schedule->catchup ? row->next_dagrun == next.logical_date
							 : row->next_dagrun <= next.logical_date;
}

/* GuardedCall: does the row say what follows from the pinned version? */
static void
compare_row(void *arg)
{
	LookCall *call = arg;
	const VersionSchedule *version = version_schedule(call->tables, call->pinned);
	const Schedule *schedule = &version->schedule;
	DagRow row;

	call->drift->schedule_not_held = version->why != NULL || !read_row(call, &row) ||
									 row.summary == NULL ||
									 strcmp(row.summary, version->summary) != 0 ||
									 (schedule->max_active_tasks != LIMIT_CONFIGURED &&
									  schedule->max_active_tasks != row.max_active_tasks) ||
									 !next_run_is_held(call, &row, schedule);
}

/* GuardedCall: is there an error of the DAG's file? In 3.0 the error names it by its whole path. */
static void
find_import_error(void *arg)
{
	LookCall *call = arg;
	Oid errors = get_relname_relid("import_error", get_rel_namespace(call->tables->dag));
	QueryArgs args = {0};
	OwnerScope scope;

	if (!OidIsValid(errors) || !try_lock_for_reading(errors))
		return;
	arg_text(&args, call->dag_id);
	owner_scope_enter_foreign(&scope, call->tables->dag);
	query_run(psprintf("SELECT FROM %1$s.import_error e JOIN %1$s.dag d ON d.dag_id = $1"
					   " AND e.bundle_name = d.bundle_name"
					   " AND e.filename IN (d.relative_fileloc, d.fileloc)",
					   call->tables->quoted_schema),
			  &args, false, 1);
	owner_scope_leave(&scope);
	call->drift->import_error = SPI_processed > 0;
}

/*
 * What pins() tells of a pin's schedule. Call it connected to SPI.
 */
void
hold_drift(const AirflowTables *tables, const char *dag_id, bool holds_schedule,
		   const DagVersion *pinned, const DagVersion *latest, HoldDrift *drift)
{
	LookCall call = {.tables = tables, .dag_id = dag_id, .pinned = pinned, .drift = drift};
	HoldNote note;

	*drift = (HoldDrift){0};
	if (!holds_schedule)
	{
		drift->schedule_not_held = schedules_differ(tables, pinned, latest);
		return;
	}
	(void) guarded_call(find_import_error, &call);
	hold_note_read(dag_id, &note);
	drift->dag_removed = note.removed && !drift->import_error;
	if (note.failure != NULL || !airflow_pin_enabled || schedule_obstacle(tables->dag) != NULL ||
		guarded_call(compare_row, &call) != NULL)
		drift->schedule_not_held = true;
}
