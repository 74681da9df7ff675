/*
 * drift.h
 *		How a pin and what the DAG has now have drifted apart.
 */
#ifndef RUN_DRIFT_H
#define RUN_DRIFT_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"
#include "pin/pin.h"

#define MAX_DRIFT 12

/* Names of drift, collected. */
typedef struct Drift
{
	int count;
	const char *names[MAX_DRIFT];
} Drift;

extern void drift_add(Drift *drift, bool condition, const char *name);
extern void drift_find(const AirflowTables *tables, const char *dag_id, const Pin *pin,
					   const DagVersion *latest, Drift *drift);

#endif
