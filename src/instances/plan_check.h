/*
 * plan_check.h
 *		Can runs be rewritten to a version: are its task instances to be computed?
 */
#ifndef INSTANCES_PLAN_CHECK_H
#define INSTANCES_PLAN_CHECK_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"

extern ErrorData *plan_problem(const AirflowTables *tables, const char *dag_id,
							   const DagVersion *version, bool with_earlier_runs);
extern char *plan_problem_hint(const ErrorData *problem);

#endif
