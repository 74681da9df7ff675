/*
 * task_instances.h
 *		Compare a run's rows of task_instance with a plan, and have the differences written.
 */
#ifndef TASK_INSTANCES_H
#define TASK_INSTANCES_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/catalog.h"
#include "pin/changed_run.h"

extern void task_instances_apply(const AirflowTables *tables, const char *dag_id,
								 const char *run_id, const pg_uuid_t *version,
								 const RunPlans *plans, const bool *left_empty);

#endif
