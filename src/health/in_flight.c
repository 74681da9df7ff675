/*
 * in_flight.c
 *		What Airflow has not finished: DAG runs, task instances and backfills.
 *
 * The states are those of airflow/utils/state.py in 2.10 to 3.3: "shutdown" is only in 2.x,
 * "awaiting_input" only from 3.3 on. Task instances without a state are not counted: their DAG run
 * is, and a finished run may keep some for ever.
 */
#include "in_flight.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

/*
 * One statement a kind, with the table for %s; columns as in InFlight, all of which Airflow has had
 * since 2.10. Written so that Airflow's indexes serve: the partial ones of dag_run want a constant
 * each.
 */
typedef struct InFlightSource
{
	const char *table;
	const char *sql;
} InFlightSource;

static const InFlightSource sources[] = {
	{"dag_run", "SELECT state::text, dag_id::text, count(*),"
				" min(CASE state WHEN 'queued' THEN coalesce(queued_at, updated_at)"
				" ELSE coalesce(start_date, queued_at, updated_at) END)"
				" FROM %s WHERE state = 'queued' OR state = 'running'"
				" GROUP BY state, dag_id ORDER BY state, dag_id"},
	{"task_instance",
	 "SELECT state::text, dag_id::text, count(*), min(coalesce(CASE"
	 " WHEN state = 'queued' THEN queued_dttm"
	 " WHEN state IN ('running', 'deferred', 'awaiting_input') THEN start_date"
	 " WHEN state IN ('up_for_retry', 'up_for_reschedule') THEN end_date END, updated_at))"
	 " FROM %s WHERE state IN (" UNFINISHED_TASK_STATES ")"
	 " GROUP BY state, dag_id ORDER BY state, dag_id"},
	{"backfill", "SELECT CASE WHEN is_paused THEN 'paused' ELSE 'running' END, dag_id::text,"
				 " count(*), min(created_at)"
				 " FROM %s WHERE completed_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2"},
};

PG_FUNCTION_INFO_V1(airflow_pin_in_flight);

static InFlight *
unknown(const char *kind, const ReadObstacle *obstacle)
{
	InFlight *item = palloc0(sizeof(InFlight));

	item->kind = kind;
	item->state = pstrdup("unknown");
	item->oldest = DT_NOBEGIN;
	item->unread = *obstacle;
	return item;
}

static List *
read_source(List *items, const InFlightSource *source, const char *schema, Oid relation)
{
	char *table = quote_qualified_identifier(schema, source->table);
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, relation);
	query_run(psprintf(source->sql, table), NULL, true, 0);
	owner_scope_leave(&scope);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		InFlight *item = palloc0(sizeof(InFlight));

		item->kind = source->table;
		item->state = row_required_text(row, 1);
		item->dag_id = row_required_text(row, 2);
		item->count = row_bigint(row, 3);
		item->oldest = row_timestamp(row, 4);
		items = lappend(items, item);
	}
	return items;
}

/*
 * What is in flight: a list of InFlight in the SPI procedure's memory. A table that is locked by a
 * migration, or has rules, gives one entry that says so; nothing is waited for.
 */
List *
in_flight_list(const char *schema)
{
	List *items = NIL;

	for (int i = 0; i < (int) lengthof(sources); i++)
	{
		Oid relation = airflow_relation_oid(schema, sources[i].table);
		ReadObstacle obstacle;

		if (!OidIsValid(relation))
			continue; /* Airflow 2 has no backfill */
		if (lock_to_read(relation, &obstacle))
			items = read_source(items, &sources[i], schema, relation);
		else
			items = lappend(items, unknown(sources[i].table, &obstacle));
	}
	return items;
}

static void
emit_in_flight(FunctionCallInfo fcinfo, const InFlight *item)
{
	Datum values[6] = {0};
	bool nulls[6] = {0};

	values[0] = CStringGetTextDatum(item->kind);
	values[1] = CStringGetTextDatum(item->state);
	nulls[2] = item->dag_id == NULL;
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(item->dag_id);
	nulls[3] = item->unread.what != NULL;
	values[3] = Int64GetDatum(item->count);
	nulls[4] = nulls[5] = TIMESTAMP_IS_NOBEGIN(item->oldest);
	values[4] = TimestampTzGetDatum(item->oldest);
	if (!nulls[5])
		values[5] = DirectFunctionCall2(timestamp_mi, TimestampTzGetDatum(GetCurrentTimestamp()),
										TimestampTzGetDatum(item->oldest));
	result_row(fcinfo, values, nulls);
}

/*
 * in_flight()
 */
Datum
airflow_pin_in_flight(PG_FUNCTION_ARGS)
{
	const char *schema;
	ListCell *cell;

	result_rows_begin(fcinfo);
	schema = health_schema();
	if (schema == NULL)
		return (Datum) 0;
	SPI_connect();
	foreach (cell, in_flight_list(schema))
	{
		const InFlight *item = lfirst(cell);

		if (item->unread.what != NULL)
			ereport(NOTICE, (errmsg("table \"%s.%s\" %s", schema, item->kind, item->unread.what),
							 errhint("%s", item->unread.hint)));
		emit_in_flight(fcinfo, item);
	}
	SPI_finish();
	return (Datum) 0;
}
