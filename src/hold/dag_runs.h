/*
 * dag_runs.h
 *		What the next run of a DAG depends on: the runs that there are.
 */
#ifndef HOLD_DAG_RUNS_H
#define HOLD_DAG_RUNS_H

#include "postgres.h"

#include "airflow/tables.h"
#include "schedule/schedule.h"

extern bool run_exists(const AirflowTables *tables, const char *dag_id, TimestampTz logical_date);
extern int64 active_runs(const AirflowTables *tables, const char *dag_id);
extern void next_free_run(const AirflowTables *tables, const char *dag_id, const Schedule *schedule,
						  NextRun *next);

#endif
