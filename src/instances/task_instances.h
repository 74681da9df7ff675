/*
 * task_instances.h
 *		Compare a run's rows of task_instance with a plan, and have the differences written.
 */
#ifndef INSTANCES_TASK_INSTANCES_H
#define INSTANCES_TASK_INSTANCES_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"
#include "instances/changed_run.h"

extern void task_instances_apply(const AirflowTables *tables, const char *dag_id,
								 const char *run_id, const pg_uuid_t *version,
								 const RunPlans *plans, const bool *left_empty);

#endif
