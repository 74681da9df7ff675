/*
 * version.h
 *		Airflow's DAG versions.
 */
#ifndef DAG_VERSION_H
#define DAG_VERSION_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"

/* One row of dag_version with what belongs to it. Pointers are NULL for SQL NULL. */
typedef struct DagVersion
{
	pg_uuid_t id;
	int32 number;
	char *bundle_name;
	char *bundle_version; /* of its row; see dag/commit.h */
	char *dag_hash;		  /* NULL: no serialized_dag */
	char *source_code_hash;
} DagVersion;

/* What dag says of where new runs come from. */
typedef struct DagSource
{
	char *bundle_name;
	char *bundle_version;
} DagSource;

extern const char *version_order(const AirflowTables *tables);
extern bool dag_source(const AirflowTables *tables, const char *dag_id, DagSource *source);
extern bool version_latest(const AirflowTables *tables, const char *dag_id, DagVersion *version);
extern bool version_by_number(const AirflowTables *tables, const char *dag_id, int32 number,
							  DagVersion *version);
extern bool version_before(const AirflowTables *tables, const char *dag_id, int32 number,
						   DagVersion *version);
extern bool version_by_id(const AirflowTables *tables, const pg_uuid_t *id, DagVersion *version);
extern bool version_is_newer_than_snapshot(const AirflowTables *tables, const pg_uuid_t *id);
extern bool version_lock(const AirflowTables *tables, const pg_uuid_t *id);
extern void version_lock_content(const AirflowTables *tables, DagVersion *version);
extern char *version_numbers(const AirflowTables *tables, const char *dag_id);

#endif
