/*
 * serialized_dag.h
 *		A DAG version's content out of Airflow's serialized_dag.
 */
#ifndef DAG_SERIALIZED_DAG_H
#define DAG_SERIALIZED_DAG_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "airflow/tables.h"

/* Serializer versions whose rules task_plan.c knows (Airflow 3.0 to 3.3 write 2 and 3). */
#define SERIALIZER_VERSION_MIN 1
#define SERIALIZER_VERSION_MAX 3
/* From this one on a task that has the configuration's defaults says so (client_defaults). */
#define SERIALIZER_VERSION_DEFAULTS 3

/* How much of a DAG is asked for. */
typedef enum DagParts
{
	DAG_WHOLE,
	DAG_OUTLINE /* of its tasks at least the fields of task_fields.h, and all else */
} DagParts;

/* The columns of serialized_dag that may hold the content. */
typedef struct DagColumns
{
	Datum data;
	bool data_isnull;
	Oid data_type;
	Datum compressed;
	bool compressed_isnull;
} DagColumns;

extern Jsonb *serialized_dag_decode(const DagColumns *columns, DagParts parts);
extern Jsonb *serialized_dag_load(const AirflowTables *tables, const pg_uuid_t *version);
extern Jsonb *serialized_dag_outline(const AirflowTables *tables, const pg_uuid_t *version,
									 char **dag_hash);
extern int serialized_dag_version(Jsonb *data);
extern JsonbContainer *serialized_dag_body(Jsonb *data);

#endif
