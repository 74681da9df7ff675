/*
 * next_run.h
 *		What becomes of a run that Airflow would create of a DAG now.
 */
#ifndef RUN_NEXT_RUN_H
#define RUN_NEXT_RUN_H

#include "postgres.h"

#include "run/decide.h"

extern void decide_next_run(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
							Decision *decision);

#endif
