/*
 * task_instance_writes.h
 *		The SQL that changes a run's task instances.
 */
#ifndef INSTANCES_TASK_INSTANCE_WRITES_H
#define INSTANCES_TASK_INSTANCE_WRITES_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"
#include "instances/derived_columns.h"

extern void task_instances_insert(const AirflowTables *tables, const char *dag_id,
								  const char *run_id, const pg_uuid_t *version, const RowList *rows,
								  const pg_uuid_t *pattern);
extern void task_instances_update(const AirflowTables *tables, const pg_uuid_t *version,
								  const RowList *rows);
extern void task_instances_delete(const AirflowTables *tables, Datum *ids, int count);

#endif
