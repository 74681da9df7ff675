/*
 * table_sizes.c
 *		table_sizes(): how large Airflow's tables are, and how long a rewrite of each takes.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "relation/relation_size.h"
#include "util/interval.h"
#include "util/result_rows.h"

#define REWRITE_UNCERTAINTY 2 /* 100 GB take one to two hours */

PG_FUNCTION_INFO_V1(airflow_pin_table_sizes);

/* The later of the last VACUUM by hand and by autovacuum; false when there was none. */
static bool
last_vacuum(Oid relation, TimestampTz *last)
{
	bool by_hand_missing;
	bool auto_missing;
	Datum by_hand = call_for_relation(pg_stat_get_last_vacuum_time, relation, &by_hand_missing);
	Datum automatic = call_for_relation(pg_stat_get_last_autovacuum_time, relation, &auto_missing);

	*last = DT_NOBEGIN;
	if (!by_hand_missing)
		*last = DatumGetTimestampTz(by_hand);
	if (!auto_missing)
		*last = Max(*last, DatumGetTimestampTz(automatic));
	return !TIMESTAMP_IS_NOBEGIN(*last);
}

static void
emit_sizes(FunctionCallInfo fcinfo, const AirflowRelation *relation)
{
	RelationSize size = relation_size(relation->oid);
	int64 total = relation_total_bytes(&size);
	double rewrite = rewrite_seconds(total);
	TimestampTz vacuumed;
	bool was_vacuumed = last_vacuum(relation->oid, &vacuumed);
	Datum values[11];
	bool nulls[11] = {0};

	values[0] = CStringGetTextDatum(relation->name);
	values[1] = BoolGetDatum(relation->fab);
	values[2] = Int64GetDatum(total);
	values[3] = Int64GetDatum(size.heap);
	values[4] = Int64GetDatum(size.indexes);
	values[5] = Int64GetDatum(size.toast);
	values[6] = Int64GetDatum(size.estimated_rows);
	nulls[6] = size.estimated_rows < 0;
	values[7] = DirectFunctionCall1(pg_stat_get_dead_tuples, ObjectIdGetDatum(relation->oid));
	values[8] = TimestampTzGetDatum(vacuumed);
	nulls[8] = !was_vacuumed;
	values[9] = PointerGetDatum(interval_of_seconds(rewrite));
	values[10] = PointerGetDatum(interval_of_seconds(rewrite * REWRITE_UNCERTAINTY));
	result_row(fcinfo, values, nulls);
}

/*
 * table_sizes()
 */
Datum
airflow_pin_table_sizes(PG_FUNCTION_ARGS)
{
	const char *schema;
	ListCell *cell;

	result_rows_begin(fcinfo);
	schema = health_schema();
	if (schema == NULL)
		return (Datum) 0;
	SPI_connect();
	foreach (cell, airflow_relations(schema))
		emit_sizes(fcinfo, lfirst(cell));
	SPI_finish();
	return (Datum) 0;
}
