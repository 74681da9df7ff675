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

extern HeapTuple hold_row(TriggerData *trigger, const AirflowTables *tables, const char *dag_id,
						  const VersionSchedule *version, bool anew, HeapTuple row);
extern HeapTuple clear_next_run(TriggerData *trigger, HeapTuple row);
extern HeapTuple set_flag(TriggerData *trigger, HeapTuple row, const char *column, bool value);
extern bool flag_is_set(TriggerData *trigger, HeapTuple row, const char *column);
extern bool next_run_changes(TriggerData *trigger);
extern bool column_changes(TriggerData *trigger, const char *column);

#endif
