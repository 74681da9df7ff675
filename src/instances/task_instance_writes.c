/*
 * task_instance_writes.c
 *		The SQL that changes a run's task instances.
 *
 * All functions are to be called connected to SPI and in the name of Airflow's owner.
 */
#include "task_instance_writes.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "util/column_list.h"
#include "util/query.h"

/* The ids of the rows, and one array for each derived column. */
static void
arg_derived(QueryArgs *args, const RowList *list)
{
	Datum *values = palloc(list->count * sizeof(Datum));
	bool *nulls = palloc(list->count * sizeof(bool));

	for (int row = 0; row < list->count; row++)
		values[row] = UUIDPGetDatum(&list->rows[row].id);
	arg_array(args, UUIDOID, values, NULL, list->count);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
	{
		for (int row = 0; row < list->count; row++)
		{
			values[row] = list->rows[row].derived.values[i];
			nulls[row] = list->rows[row].derived.nulls[i];
		}
		arg_array(args, derived_columns[i].type, values, nulls, list->count);
	}
}

/* "unnest($first, $first + 1, ...) AS u (id, task_display_name, ...". */
static void
append_unnest(StringInfo sql, int first, int more)
{
	appendStringInfoString(sql, " FROM unnest(");
	for (int i = 0; i < 1 + DERIVED_COLUMNS + more; i++)
		appendStringInfo(sql, "%s$%d", i > 0 ? ", " : "", first + i);
	appendStringInfoString(sql, ") AS u (id");
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(sql, ", %s", derived_columns[i].name);
}

/* Delete the task instances with these ids. */
void
task_instances_delete(const AirflowTables *tables, Datum *ids, int count)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_array(&args, UUIDOID, ids, NULL, count);
	query_run_kept(
		&plan, psprintf("DELETE FROM %s.task_instance WHERE id = ANY ($1)", tables->quoted_schema),
		&args, 0);
}

/* Set the version and the derived columns of the task instances with the rows' ids. */
void
task_instances_update(const AirflowTables *tables, const pg_uuid_t *version, const RowList *rows)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	StringInfoData sql;

	arg_uuid(&args, version);
	arg_derived(&args, rows);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s.task_instance t SET dag_version_id = $1",
					 tables->quoted_schema);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", %1$s = u.%1$s", derived_columns[i].name);
	append_unnest(&sql, 2, 0);
	appendStringInfoString(&sql, ") WHERE t.id = u.id");
	query_run_kept(&plan, sql.data, &args, 0);
}

/* Columns that are not taken over from another task instance: those that are written one by one. */
static bool
is_written_explicitly(const char *column)
{
	static const char *const names[] = {"id",		 "dag_id",		   "run_id", "task_id",
										"map_index", "dag_version_id", "state",	 "context_carrier"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (strcmp(column, names[i]) == 0)
			return true;
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		if (strcmp(column, derived_columns[i].name) == 0)
			return true;
	return false;
}

/*
 * The W3C trace context of a new task instance: the run's trace with a span of its own, as
 * new_task_run_carrier (airflow/_shared/observability/traces) makes it.
 */
#define NEW_CARRIER                                                                                \
	"CASE WHEN length(t.context_carrier ->> 'traceparent') = 55 THEN"                              \
	" jsonb_set(t.context_carrier::jsonb, '{traceparent}', to_jsonb(overlay("                      \
	"t.context_carrier ->> 'traceparent' placing substr(md5(u.id::text), 1, 16) from 37)))"        \
	" ELSE t.context_carrier::jsonb END"

static char *
insert_sql(const AirflowTables *tables, bool has_template)
{
	const char *carrier = "NULL";
	StringInfoData sql;
	Oid carrier_type;

	carrier_type =
		get_atttype(tables->task_instance, get_attnum(tables->task_instance, "context_carrier"));
	if (has_template)
		carrier = NEW_CARRIER;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO %s.task_instance (id, dag_id, run_id, task_id, map_index,"
					 " dag_version_id, state, context_carrier",
					 tables->quoted_schema);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", %s", derived_columns[i].name);
	appendStringInfoString(&sql, has_template
									 ? column_list(tables->task_instance, "", is_written_explicitly)
									 : ", try_number, hostname, unixname, updated_at");
	appendStringInfo(&sql, ") SELECT u.id, $1, $2, u.task_id, u.map_index, $3, NULL, (%s)::%s",
					 carrier, format_type_be(carrier_type));
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		appendStringInfo(&sql, ", u.%s", derived_columns[i].name);
	if (has_template)
		appendStringInfoString(&sql,
							   column_list(tables->task_instance, "t.", is_written_explicitly));
	else
		appendStringInfo(&sql,
						 ", 0, '', (SELECT l.unixname FROM %s.task_instance l"
						 " WHERE l.dag_id = $1 ORDER BY l.id DESC LIMIT 1),"
						 " clock_timestamp()",
						 tables->quoted_schema);
	append_unnest(&sql, 5, 2);
	appendStringInfoString(&sql, ", task_id, map_index)");
	if (has_template)
		appendStringInfo(&sql, ", %s.task_instance t WHERE t.id = $4", tables->quoted_schema);
	else
		appendStringInfoString(&sql, " WHERE $4 IS NULL");
	return sql.data;
}

/*
 * Insert task instances into the run. What does not follow from the DAG is taken from "pattern", a
 * task instance that Airflow created in the same run, or is made up where there is none (NULL).
 */
void
task_instances_insert(const AirflowTables *tables, const char *dag_id, const char *run_id,
					  const pg_uuid_t *version, const RowList *rows, const pg_uuid_t *pattern)
{
	static KeptPlan plans[2];
	bool has_template = pattern != NULL;
	int count = rows->count;
	Datum *task_ids = palloc(count * sizeof(Datum));
	Datum *map_indexes = palloc(count * sizeof(Datum));
	QueryArgs args = {0};

	for (int i = 0; i < count; i++)
	{
		task_ids[i] = CStringGetTextDatum(rows->rows[i].task_id);
		map_indexes[i] = Int32GetDatum(rows->rows[i].map_index);
	}
	arg_text(&args, dag_id);
	arg_text(&args, run_id);
	arg_uuid(&args, version);
	arg_uuid(&args, pattern);
	arg_derived(&args, rows);
	arg_array(&args, TEXTOID, task_ids, NULL, count);
	arg_array(&args, INT4OID, map_indexes, NULL, count);
	query_run_kept(&plans[has_template], insert_sql(tables, has_template), &args, 0);
}
