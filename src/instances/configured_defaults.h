/*
 * configured_defaults.h
 *		Airflow's configured defaults for tasks, which a serialized DAG of Airflow 3.0 leaves out.
 */
#ifndef INSTANCES_CONFIGURED_DEFAULTS_H
#define INSTANCES_CONFIGURED_DEFAULTS_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"
#include "tasks/task_plan.h"

extern void configured_defaults_fill(const AirflowTables *tables, const char *dag_id,
									 const char *run_id, const pg_uuid_t *version, TaskPlan *wanted,
									 TaskPlan *requested);

#endif
