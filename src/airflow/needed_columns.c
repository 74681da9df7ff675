/*
 * needed_columns.c
 *		The columns of Airflow's tables that pins cannot do without.
 *
 * Whatever reads or writes another column for a run of a pinned DAG, or to keep its version, has it
 * here: status() and pin() look at this list to tell an Airflow that is not understood.
 * test/sql/airflow_needed_columns.sql takes each column of these tables away, one by one, and compares.
 */
#include "needed_columns.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

static const NeededColumn needed_columns[] = {
	{"dag_run", "id", InvalidOid},
	{"dag_run", "dag_id", TEXTOID},
	{"dag_run", "run_id", TEXTOID},
	{"dag_run", "run_type", TEXTOID},
	{"dag_run", "state", TEXTOID},
	{"dag_run", "logical_date", TIMESTAMPTZOID},
	{"dag_run", "queued_at", TIMESTAMPTZOID},
	{"dag_run", "start_date", TIMESTAMPTZOID},
	{"dag_run", "end_date", TIMESTAMPTZOID},
	{"dag_run", "clear_number", INT4OID},
	{"dag_run", "bundle_version", TEXTOID},
	{"dag_run", "created_dag_version_id", UUIDOID},

	{"task_instance", "id", UUIDOID},
	{"task_instance", "dag_id", TEXTOID},
	{"task_instance", "run_id", TEXTOID},
	{"task_instance", "task_id", TEXTOID},
	{"task_instance", "map_index", INT4OID},
	{"task_instance", "dag_version_id", UUIDOID},
	{"task_instance", "state", TEXTOID},
	{"task_instance", "try_number", INT4OID},
	{"task_instance", "hostname", TEXTOID},
	{"task_instance", "unixname", TEXTOID},
	{"task_instance", "updated_at", TIMESTAMPTZOID},
	{"task_instance", "context_carrier", JSONOID},
	{"task_instance", "task_display_name", TEXTOID},
	{"task_instance", "operator", TEXTOID},
	{"task_instance", "custom_operator_name", TEXTOID},
	{"task_instance", "queue", TEXTOID},
	{"task_instance", "pool", TEXTOID},
	{"task_instance", "executor", TEXTOID},
	{"task_instance", "executor_config", BYTEAOID},
	{"task_instance", "pool_slots", INT4OID},
	{"task_instance", "max_tries", INT4OID},
	{"task_instance", "priority_weight", INT4OID},

	{"dag", "dag_id", TEXTOID},
	{"dag", "bundle_name", TEXTOID},
	{"dag", "bundle_version", TEXTOID},
	{"dag", "last_parsed_time", TIMESTAMPTZOID},

	{"dag_version", "id", UUIDOID},
	{"dag_version", "dag_id", TEXTOID},
	{"dag_version", "version_number", INT4OID},
	{"dag_version", "bundle_name", TEXTOID},
	{"dag_version", "bundle_version", TEXTOID},
	{"dag_version", "created_at", TIMESTAMPTZOID},

	{"serialized_dag", "id", UUIDOID},
	{"serialized_dag", "dag_id", TEXTOID},
	{"serialized_dag", "dag_version_id", UUIDOID},
	{"serialized_dag", "dag_hash", TEXTOID},
	{"serialized_dag", "data", JSONOID},
	{"serialized_dag", "data_compressed", BYTEAOID},
	{"serialized_dag", "created_at", TIMESTAMPTZOID},
	{"serialized_dag", "last_updated", TIMESTAMPTZOID},

	{"dag_code", "id", UUIDOID},
	{"dag_code", "dag_id", TEXTOID},
	{"dag_code", "dag_version_id", UUIDOID},
	{"dag_code", "source_code_hash", TEXTOID},
	{"dag_code", "created_at", TIMESTAMPTZOID},
	{"dag_code", "last_updated", TIMESTAMPTZOID},
};

/* Number of the column in a table; 0 when it has none of that name and type. Takes no lock. */
static AttrNumber
column_of_type(Oid relation, const char *name, Oid type)
{
	AttrNumber number = get_attnum(relation, name);
	Oid actual =
		number != InvalidAttrNumber ? getBaseType(get_atttype(relation, number)) : InvalidOid;

	if (type == InvalidOid || actual == type || (type == TEXTOID && actual == VARCHAROID) ||
		(type == JSONOID && actual == JSONBOID))
		return number;
	return InvalidAttrNumber;
}

/* Columns that are read where they are there, and of that type. */
static const NeededColumn used_columns[] = {
	{"dag_run", "conf", InvalidOid},
	{"dag_run", "triggered_by", TEXTOID},
	{"dag_run", "creating_job_id", InvalidOid},
};

static const NeededColumn *
find_column(const NeededColumn *columns, int count, const char *table, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(columns[i].table, table) == 0 && strcmp(columns[i].name, name) == 0)
			return &columns[i];
	return NULL;
}

/* Number of a column of the lists above in a table; 0 when it has none of that name and type. */
AttrNumber
needed_column_number(const char *table, Oid relation, const char *name)
{
	const NeededColumn *column = find_column(needed_columns, lengthof(needed_columns), table, name);

	if (column == NULL)
		column = find_column(used_columns, lengthof(used_columns), table, name);
	if (column == NULL)
		elog(ERROR, "column \"%s\" of \"%s\" is in no list", name, table);
	return column_of_type(relation, name, column->type);
}

/*
 * A column that Airflow's tables in a schema lack, or have with another type, so that pins cannot be
 * in force; NULL when all are there. Takes no lock.
 */
const NeededColumn *
needed_column_missing(Oid namespace)
{
	for (int i = 0; i < (int) lengthof(needed_columns); i++)
	{
		const NeededColumn *column = &needed_columns[i];
		Oid relation = get_relname_relid(column->table, namespace);

		if (!OidIsValid(relation) ||
			column_of_type(relation, column->name, column->type) == InvalidAttrNumber)
			return column;
	}
	return NULL;
}
