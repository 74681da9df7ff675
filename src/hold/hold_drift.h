/*
 * hold_drift.h
 *		For pins(): is the schedule that the pinned version has in force?
 */
#ifndef HOLD_HOLD_DRIFT_H
#define HOLD_HOLD_DRIFT_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"

typedef struct HoldDrift
{
	bool schedule_not_held;
	bool import_error; /* a later commit cannot be parsed */
	bool dag_removed;  /* a later commit has the DAG no more */
} HoldDrift;

extern void hold_drift(const AirflowTables *tables, const char *dag_id, bool holds_schedule,
					   const DagVersion *pinned, const DagVersion *latest, HoldDrift *drift);

#endif
