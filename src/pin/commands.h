/*
 * commands.h
 *		What the SQL functions on DAGs and versions share: finding them, or saying what is wrong.
 */
#ifndef PIN_COMMANDS_H
#define PIN_COMMANDS_H

#include "postgres.h"

#include "airflow/version.h"
#include "compat.h"

pg_noreturn extern void raise_no_such_dag(const AirflowTables *tables, const char *dag_id);
extern void require_latest(const AirflowTables *tables, const char *dag_id, DagVersion *latest);
extern void require_version(const AirflowTables *tables, const char *dag_id, int32 number,
							DagVersion *version);

#endif
