/*
 * find_version.c
 *		The DAG, or the version, that a command is about; or the error that says which there are.
 */
#include "find_version.h"

/* Raise the error for a DAG that dag does not have. */
void
raise_no_such_dag(const AirflowTables *tables, const char *dag_id)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("DAG \"%s\" does not exist", dag_id),
					errdetail("Table \"%s.dag\" has no row for it.", tables->schema),
					errhint("Check the spelling, and that the DAG has been parsed.")));
}

/* The latest version of a DAG; raises an error when there is none. */
void
require_latest(const AirflowTables *tables, const char *dag_id, DagVersion *latest)
{
	DagSource source;

	if (!dag_source(tables, dag_id, &source))
		raise_no_such_dag(tables, dag_id);
	if (!version_latest(tables, dag_id, latest))
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("DAG \"%s\" has no version", dag_id),
						errdetail("Table \"%s.dag_version\" has no row for it.", tables->schema),
						errhint("Wait until the DAG processor has parsed it.")));
}

void
raise_no_such_version(const AirflowTables *tables, const char *dag_id, int32 number)
{
	char *existing = version_numbers(tables, dag_id);

	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND), errmsg("DAG \"%s\" has no version %d", dag_id, number),
			 errdetail("Existing versions: %s.", existing),
			 errhint("Pin one of these, or leave the number out for the latest.")));
}

/* The version of that number; raises an error that tells which exist. */
void
require_version(const AirflowTables *tables, const char *dag_id, int32 number, DagVersion *version)
{
	if (!version_by_number(tables, dag_id, number, version))
		raise_no_such_version(tables, dag_id, number);
}
