/*
 * dag_run_columns.c
 *		Where the columns are that the trigger on dag_run uses.
 *
 * Their numbers differ between a fresh and a migrated database, so they are looked up by name.
 */
#include "dag_run_columns.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

DagRunColumns dag_run_columns_cache;

/* A column of dag_run that the trigger uses, and where its number goes. */
typedef struct ColumnOfInterest
{
	const char *name;
	Oid type; /* TEXTOID stands for varchar, too; InvalidOid for any */
	bool required;
	size_t offset;
} ColumnOfInterest;

static const ColumnOfInterest columns_of_interest[] = {
	{"dag_id", TEXTOID, true, offsetof(DagRunColumns, dag_id)},
	{"run_id", TEXTOID, true, offsetof(DagRunColumns, run_id)},
	{"run_type", TEXTOID, true, offsetof(DagRunColumns, run_type)},
	{"state", TEXTOID, true, offsetof(DagRunColumns, state)},
	{"start_date", TIMESTAMPTZOID, true, offsetof(DagRunColumns, start_date)},
	{"end_date", TIMESTAMPTZOID, true, offsetof(DagRunColumns, end_date)},
	{"bundle_version", TEXTOID, true, offsetof(DagRunColumns, bundle_version)},
	{"created_dag_version_id", UUIDOID, true, offsetof(DagRunColumns, created_dag_version_id)},
	{"id", InvalidOid, false, offsetof(DagRunColumns, id)},
	{"conf", InvalidOid, false, offsetof(DagRunColumns, conf)},
	{"triggered_by", TEXTOID, false, offsetof(DagRunColumns, triggered_by)},
	{"logical_date", TIMESTAMPTZOID, true, offsetof(DagRunColumns, logical_date)},
	{"creating_job_id", InvalidOid, false, offsetof(DagRunColumns, creating_job_id)},
};

/* Number of the column in a table; 0 when it has none of that name and type. */
static AttrNumber
column_number(Oid relation, const ColumnOfInterest *column)
{
	AttrNumber number = get_attnum(relation, column->name);
	Oid type =
		number != InvalidAttrNumber ? getBaseType(get_atttype(relation, number)) : InvalidOid;

	if (column->type == InvalidOid || type == column->type ||
		(column->type == TEXTOID && type == VARCHAROID))
		return number;
	return InvalidAttrNumber;
}

static void
read_columns(Oid relation, DagRunColumns *columns)
{
	memset(columns, 0, sizeof(*columns));
	for (int i = 0; i < (int) lengthof(columns_of_interest); i++)
	{
		const ColumnOfInterest *column = &columns_of_interest[i];
		AttrNumber number = column_number(relation, column);

		*(AttrNumber *) ((char *) columns + column->offset) = number;
		if (number == InvalidAttrNumber && column->required && columns->missing == NULL)
			columns->missing = column->name;
	}
	columns->relation = relation;
}

/*
 * The column that dag_run lacks, or has with another type, so that pins cannot be in force; NULL
 * when all are there. Takes no lock.
 */
const char *
dag_run_missing_column(Oid dag_run)
{
	DagRunColumns columns;

	read_columns(dag_run, &columns);
	return columns.missing;
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
