/*
 * next_runs.c
 *		next_runs(): when a version of a DAG would run.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "command/find_version.h"
#include "dag/serialized_dag.h"
#include "dag/version.h"
#include "pin/pin.h"
#include "schedule/automated_run.h"
#include "schedule/schedule.h"
#include "util/result_rows.h"

/* More are not looked through by anybody, or take too long to pass over. */
#define MAX_COUNT 10000
#define MAX_PASSED 1000000

PG_FUNCTION_INFO_V1(airflow_pin_next_runs);

typedef struct NextRunsArguments
{
	char *dag_id;
	bool has_version;
	int32 version;
	int32 count;
	bool has_after;
	TimestampTz after;
} NextRunsArguments;

static void
read_arguments(FunctionCallInfo fcinfo, NextRunsArguments *arguments)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("dag_id and count must not be NULL"),
						errdetail("%s is NULL.", PG_ARGISNULL(0) ? "dag_id" : "count"),
						errhint("Leave count out for five runs.")));
	arguments->dag_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	arguments->has_version = !PG_ARGISNULL(1);
	arguments->version = arguments->has_version ? PG_GETARG_INT32(1) : 0;
	arguments->count = PG_GETARG_INT32(2);
	if (arguments->count < 1 || arguments->count > MAX_COUNT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("count must be between 1 and %d", MAX_COUNT),
						errdetail("It is %d.", arguments->count),
						errhint("Give the last run_after as \"after\" to look further.")));
	arguments->has_after = !PG_ARGISNULL(3);
	arguments->after = arguments->has_after ? PG_GETARG_TIMESTAMPTZ(3) : 0;
	if (arguments->has_after && !python_time_is_valid(arguments->after))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("\"after\" is out of range"),
				 errdetail("Airflow knows the years 1 to 9999."),
				 errhint("Leave it out to begin with the run that is due next.")));
}

/* The version that is asked for; without one that of the pin in force, else the latest. */
static void
find_version(const AirflowTables *tables, const NextRunsArguments *arguments, DagVersion *version)
{
	const Pin *pin;

	require_latest(tables, arguments->dag_id, version);
	if (arguments->has_version)
	{
		require_version(tables, arguments->dag_id, arguments->version, version);
		return;
	}
	pin =
		pins_ruling(pins_read(arguments->dag_id, strlen(arguments->dag_id)), GetCurrentTimestamp());
	if (pin != NULL)
		require_version(tables, arguments->dag_id, pin->version_number, version);
}

static void
read_schedule(const AirflowTables *tables, const char *dag_id, const DagVersion *version,
			  Schedule *schedule)
{
	const char *why = schedule_read(serialized_dag_load(tables, &version->id), schedule);

	if (why != NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("the schedule of version %d of DAG \"%s\" cannot be computed",
							   version->number, dag_id),
						errdetail("%s", why),
						errhint("Airflow itself says in \"%s.dag\" when the latest version runs.",
								tables->schema)));
	why = schedule_caveat(schedule);
	if (why != NULL)
		ereport(NOTICE, (errmsg("the schedule of version %d of DAG \"%s\" depends on Airflow's "
								"croniter",
								version->number, dag_id),
						 errdetail("%s", why)));
}

static void
emit_run(FunctionCallInfo fcinfo, const NextRun *run)
{
	Datum values[] = {TimestampTzGetDatum(run->logical_date),
					  TimestampTzGetDatum(run->interval.start),
					  TimestampTzGetDatum(run->interval.end), TimestampTzGetDatum(run->run_after)};
	bool nulls[lengthof(values)] = {false};

	result_row(fcinfo, values, nulls);
}

/* Where the runs begin that are told. */
typedef struct Beginning
{
	const DataInterval *last; /* NULL: there was no run */
	TimestampTz now;
	TimestampTz after; /* those up to then are passed over */
} Beginning;

static void
raise_too_far(TimestampTz after)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("more than %d runs come before \"after\"", MAX_PASSED),
					errdetail("It is %s.", timestamptz_to_str(after)),
					errhint("Give an earlier moment.")));
}

/* Before 3.3 a timetable may go back, again and again; see schedule.h. */
static bool
goes_back(const Schedule *schedule, const NextRun *run, const DataInterval *last)
{
	return last != NULL && run->run_after <= last->end && schedule->kind != TIMETABLE_CONTINUOUS;
}

/* Each run is the last one before the next, which is reckoned when it is due. */
static void
emit_runs(FunctionCallInfo fcinfo, const Schedule *schedule, int minor, Beginning begin, int count)
{
	DataInterval last;
	NextRun run;
	int emitted = 0;

	for (int passed = 0; emitted < count; begin.now = Max(begin.now, run.run_after))
	{
		CHECK_FOR_INTERRUPTS();
		schedule_next_run(schedule, minor, begin.last, begin.now, &run);
		if (run.failure != NULL)
			ereport(NOTICE, (errmsg("Airflow finds no further run: %s", run.failure)));
		if (!run.exists)
			return;
		if (goes_back(schedule, &run, begin.last))
		{
			ereport(NOTICE,
					(errmsg("Airflow finds no further run: its timetable does not advance past "
							"the last one")));
			return;
		}
		if (run.run_after > begin.after)
		{
			emit_run(fcinfo, &run);
			emitted++;
		}
		else if (++passed > MAX_PASSED)
			raise_too_far(begin.after);
		if (schedule->kind == TIMETABLE_CONTINUOUS)
			return; /* the next one comes when this one has ended */
		last = run.interval;
		begin.last = &last;
	}
}

/*
 * next_runs(dag_id, version_number, count, after)
 */
Datum
airflow_pin_next_runs(PG_FUNCTION_ARGS)
{
	NextRunsArguments arguments;
	AirflowTables tables;
	DagVersion version;
	Schedule schedule;
	DataInterval last;
	Beginning begin = {.now = GetCurrentTimestamp(), .after = DT_NOBEGIN};

	read_arguments(fcinfo, &arguments);
	result_rows_begin(fcinfo);
	SPI_connect();
	airflow_tables(&tables, airflow_schema());
	find_version(&tables, &arguments, &version);
	read_schedule(&tables, arguments.dag_id, &version, &schedule);
	if (arguments.has_after)
		begin.after = arguments.after;
	if (arguments.has_after && schedule.cron_count > 0)
	{
		/* as if a run had been due then; it began long before, so that none is taken for one that exists */
		last = (DataInterval){.start = PYTHON_TIME_FIRST, .end = arguments.after};
		begin.last = &last;
		begin.now = arguments.after;
	}
	else if (newest_automated_run(&tables, arguments.dag_id, &last))
		begin.last = &last;
	emit_runs(fcinfo, &schedule, tables.minor, begin, arguments.count);
	SPI_finish();
	return (Datum) 0;
}
