/*
 * held_row.h
 *		A row of "dag" as its Airflow would have written it from a certain version.
 */
#ifndef HOLD_HELD_ROW_H
#define HOLD_HELD_ROW_H

#include "postgres.h"

#include "commands/trigger.h"

#include "airflow/tables.h"
#include "hold/version_schedule.h"

/* How much of the row follows from the version now. */
typedef enum HoldExtent
{
	HOLD_LIMITS,	  /* what does not depend on the runs that there are */
	HOLD_ACTIVE_RUNS, /* and what depends on the number of active runs */
	HOLD_NEXT_RUN	  /* and the next run */
} HoldExtent;

extern HeapTuple hold_row(TriggerData *trigger, const AirflowTables *tables, const char *dag_id,
						  const VersionSchedule *version, HoldExtent extent, HeapTuple row);
extern HeapTuple clear_next_run(TriggerData *trigger, HeapTuple row);
extern HeapTuple set_flag(TriggerData *trigger, HeapTuple row, const char *column, bool value);
extern bool flag_is_set(TriggerData *trigger, HeapTuple row, const char *column);
extern bool next_run_changes(TriggerData *trigger);
extern bool column_changes(TriggerData *trigger, const char *column);

#endif
