/*
 * automated_run.h
 *		The run that a DAG's next one comes after.
 */
#ifndef SCHEDULE_AUTOMATED_RUN_H
#define SCHEDULE_AUTOMATED_RUN_H

#include "postgres.h"

#include "airflow/tables.h"
#include "schedule/schedule.h"

extern bool newest_automated_run(const AirflowTables *tables, const char *dag_id,
								 DataInterval *interval);

#endif
