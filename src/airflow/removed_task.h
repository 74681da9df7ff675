/*
 * removed_task.h
 *		Tasks of an older version that Airflow 3.0 cannot run.
 */
#ifndef REMOVED_TASK_H
#define REMOVED_TASK_H

#include "postgres.h"

#include "airflow/version.h"

extern char *removed_task_problem(const AirflowTables *tables, const DagVersion *version,
								  const DagVersion *latest);

#endif
