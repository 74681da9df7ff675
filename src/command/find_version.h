/*
 * find_version.h
 *		The DAG, or the version, that a command is about; or the error that says which there are.
 */
#ifndef COMMAND_FIND_VERSION_H
#define COMMAND_FIND_VERSION_H

#include "postgres.h"

#include "airflow/tables.h"
#include "compat.h"
#include "dag/version.h"

pg_noreturn extern void raise_no_such_dag(const AirflowTables *tables, const char *dag_id);
extern void raise_no_such_version(const AirflowTables *tables, const char *dag_id, int32 number);
extern void require_latest(const AirflowTables *tables, const char *dag_id, DagVersion *latest);
extern void require_version(const AirflowTables *tables, const char *dag_id, int32 number,
							DagVersion *version);

#endif
