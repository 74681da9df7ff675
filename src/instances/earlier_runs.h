/*
 * earlier_runs.h
 *		What a plan cannot compute, from task instances that Airflow itself created.
 */
#ifndef INSTANCES_EARLIER_RUNS_H
#define INSTANCES_EARLIER_RUNS_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"
#include "tasks/task_plan.h"

extern void earlier_runs_fill(const AirflowTables *tables, const char *dag_id,
							  const pg_uuid_t *version, TaskPlan *plan);

#endif
