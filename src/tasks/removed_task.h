/*
 * removed_task.h
 *		Tasks of an older version that Airflow 3.0 cannot run.
 */
#ifndef TASKS_REMOVED_TASK_H
#define TASKS_REMOVED_TASK_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"

extern char *removed_task_problem(const AirflowTables *tables, const DagVersion *version,
								  const DagVersion *latest);

#endif
