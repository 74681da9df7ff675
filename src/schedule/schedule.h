/*
 * schedule.h
 *		The next run of a DAG version, as its Airflow's own timetable gives it.
 *
 * A schedule is read once out of a version's serialized DAG, and then asked as often as one likes:
 *
 *		const char *why = schedule_read(serialized_dag_load(&tables, &version.id), &schedule);
 *
 *		if (why == NULL)
 *			schedule_next_run(&schedule, tables.minor, last, GetCurrentTimestamp(), &next);
 *
 * What this gives is what DagModel.calculate_dagrun_date_fields() (airflow/models/dag.py) writes into the
 * DAG's row of "dag": next_dagrun (the logical date, always the start of the data interval),
 * next_dagrun_data_interval_start and _end, next_dagrun_create_after (run_after), or NULL in all four; the
 * partition columns of 3.2 and later are always NULL with these timetables. Limits on runs are not looked at.
 *
 * Nothing here reads a table. Neither function raises an error for what a DAG's author or an Airflow of
 * another version wrote; memory is the caller's context's.
 */
#ifndef SCHEDULE_SCHEDULE_H
#define SCHEDULE_SCHEDULE_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "schedule/cron_expression.h"
#include "schedule/delta.h"
#include "schedule/zone.h"

/* Airflow's own timetables that depend on nothing but time. */
typedef enum TimetableKind
{
	TIMETABLE_NULL,
	TIMETABLE_ONCE,
	TIMETABLE_CONTINUOUS,
	TIMETABLE_CRON_INTERVAL,
	TIMETABLE_DELTA_INTERVAL,
	TIMETABLE_CRON_TRIGGER,
	TIMETABLE_MULTIPLE_CRON_TRIGGER,
	TIMETABLE_DELTA_TRIGGER
} TimetableKind;

/* run_immediately of a cron trigger: when does the first run of a DAG without a start date come? */
typedef enum RunImmediately
{
	RUN_BY_GAP, /* the one before, if it is not long past: false and None are the same in Airflow */
	RUN_ALWAYS, /* the one before */
	RUN_WITHIN	/* the one before, if it is not longer past than that */
} RunImmediately;

/* A limit that the serialized DAG does not have: the configuration's is in force. */
#define LIMIT_CONFIGURED (-1)

/* A DAG version's schedule, and the limits on its runs. */
typedef struct Schedule
{
	TimetableKind kind;
	const char *type_name; /* dag.timetable_type, where there is such a column */
	CronExpression *crons; /* "cron_count" of them */
	int cron_count;
	Zone zone;		/* of the cron expressions */
	Delta delta;	/* of TIMETABLE_DELTA_... */
	Delta interval; /* of triggers: the data interval, up to the run */
	RunImmediately run_immediately;
	int64 run_within; /* microseconds, of RUN_WITHIN */

	/* DAG._time_restriction: the earliest start date and the latest end date of DAG and tasks */
	bool has_earliest;
	bool has_latest;
	TimestampTz earliest;
	TimestampTz latest;
	bool catchup;

	int32 max_active_tasks;				   /* or LIMIT_CONFIGURED */
	int32 max_active_runs;				   /* or LIMIT_CONFIGURED */
	int32 max_consecutive_failed_dag_runs; /* or LIMIT_CONFIGURED */
	bool has_task_concurrency_limits;	   /* only where the DAG was read whole, not in outline */
	bool fail_fast;
	JsonbValue *allowed_run_types; /* NULL, or an array that belongs to the serialized DAG */
} Schedule;

typedef struct DataInterval
{
	TimestampTz start;
	TimestampTz end;
} DataInterval;

typedef struct NextRun
{
	bool exists;
	TimestampTz logical_date;
	DataInterval interval;
	TimestampTz run_after;
	const char
		*failure; /* why there is none, where Airflow's timetable raises an error; it logs that */
} NextRun;

/*
 * A sentence where Airflow's own schedule depends on which release of croniter it has, which the database
 * does not tell: what is computed here is of croniter 7.0. NULL for nearly all schedules.
 */
extern const char *schedule_caveat(const Schedule *schedule);

/*
 * Read the schedule of a serialized DAG (serializer versions 1 to 3), which may be NULL and must not go
 * away before the schedule. Returns NULL, or as a sentence for an error's detail why the schedule cannot
 * be computed here: it is not one of time alone (assets, partitions, events), a plugin's, or malformed.
 */
extern const char *schedule_read(Jsonb *data, Schedule *schedule);

/*
 * The run after the one with that data interval, which is the newest automated run's (scheduled or
 * backfill, by logical date); NULL before the first. "minor" is Airflow's, as AirflowTables.minor.
 *
 * Do not take it for granted that the run is later than the last one. A cron expression of every hour, but
 * not of every day, goes back over a change of the clocks: Airflow's scheduler then makes no run any more
 * ("run already exists" up to 3.2, an error from its timetable in 3.3). And a trigger whose data interval
 * has months gives one logical date twice.
 */
extern void schedule_next_run(const Schedule *schedule, int minor, const DataInterval *last,
							  TimestampTz now, NextRun *next);

#endif
