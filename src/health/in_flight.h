/*
 * in_flight.h
 *		What Airflow has not finished: DAG runs, task instances and backfills.
 */
#ifndef HEALTH_IN_FLIGHT_H
#define HEALTH_IN_FLIGHT_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "relation/try_lock.h"

/* Of task instances in all versions; for SQL. */
#define UNFINISHED_TASK_STATES                                                                     \
	"'scheduled', 'queued', 'running', 'restarting', 'up_for_retry', 'up_for_reschedule',"         \
	" 'deferred', 'awaiting_input', 'shutdown'"

/* Unfinished things of one kind, state and DAG; or that a table could not be read. */
typedef struct InFlight
{
	const char *kind; /* dag_run, task_instance or backfill */
	char *state;	  /* "unknown" when the table could not be read */
	char *dag_id;	  /* NULL when unknown, as the rest */
	int64 count;
	TimestampTz oldest;	 /* since when it is in that state; DT_NOBEGIN: not known */
	ReadObstacle unread; /* why the table could not be read */
} InFlight;

extern List *in_flight_list(const char *schema);

#endif
