/*
 * dag_run_columns.c
 *		Where the columns are that the trigger on dag_run uses.
 *
 * Their numbers differ between a fresh and a migrated database, so they are looked up by name.
 */
#include "dag_run_columns.h"

#include "airflow/needed_columns.h"

DagRunColumns dag_run_columns_cache;

/* A column of dag_run that the trigger uses, and where its number goes. */
typedef struct ColumnOfInterest
{
	const char *name;
	bool required;
	size_t offset;
} ColumnOfInterest;

static const ColumnOfInterest columns_of_interest[] = {
	{"dag_id", true, offsetof(DagRunColumns, dag_id)},
	{"run_id", true, offsetof(DagRunColumns, run_id)},
	{"run_type", true, offsetof(DagRunColumns, run_type)},
	{"state", true, offsetof(DagRunColumns, state)},
	{"start_date", true, offsetof(DagRunColumns, start_date)},
	{"end_date", true, offsetof(DagRunColumns, end_date)},
	{"bundle_version", true, offsetof(DagRunColumns, bundle_version)},
	{"created_dag_version_id", true, offsetof(DagRunColumns, created_dag_version_id)},
	{"id", false, offsetof(DagRunColumns, id)},
	{"conf", false, offsetof(DagRunColumns, conf)},
	{"triggered_by", false, offsetof(DagRunColumns, triggered_by)},
	{"logical_date", true, offsetof(DagRunColumns, logical_date)},
	{"creating_job_id", false, offsetof(DagRunColumns, creating_job_id)},
};

static void
read_columns(Oid relation, DagRunColumns *columns)
{
	memset(columns, 0, sizeof(*columns));
	for (int i = 0; i < (int) lengthof(columns_of_interest); i++)
	{
		const ColumnOfInterest *column = &columns_of_interest[i];
		AttrNumber number = needed_column_number("dag_run", relation, column->name);

		*(AttrNumber *) ((char *) columns + column->offset) = number;
		if (number == InvalidAttrNumber && column->required && columns->missing == NULL)
			columns->missing = column->name;
	}
	columns->relation = relation;
}

/*
 * Read the columns of the dag_run table into dag_run_columns_cache; for dag_run_columns().
 */
void
dag_run_columns_read(Oid dag_run)
{
	read_columns(dag_run, &dag_run_columns_cache);
}

/*
 * Relcache invalidation: forget the columns of "relation" (of any, when it is InvalidOid).
 */
void
dag_run_columns_forget(Oid relation)
{
	if (relation == InvalidOid || relation == dag_run_columns_cache.relation)
		dag_run_columns_cache.relation = InvalidOid;
}
