/*
 * configured_limits.h
 *		Limits that a serialized DAG leaves to Airflow's configuration.
 */
#ifndef HOLD_CONFIGURED_LIMITS_H
#define HOLD_CONFIGURED_LIMITS_H

#include "postgres.h"

#include "airflow/tables.h"

typedef enum LimitName
{
	LIMIT_ACTIVE_TASKS,
	LIMIT_ACTIVE_RUNS,
	LIMIT_FAILED_RUNS
} LimitName;

extern const char *limit_column(LimitName name);
extern int32 configured_limit(const AirflowTables *tables, LimitName name);

#endif
