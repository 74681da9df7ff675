/*
 * pins.c
 *		pins(): what is pinned, and how it differs from the latest.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "dag/version.h"
#include "hold/hold_drift.h"
#include "pin/pin.h"
#include "pin/pin_store.h"
#include "relation/relation.h"
#include "run/decide.h"
#include "run/drift.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

/* Columns of the result; that of 1.0 has one fewer. */
#define RESULT_COLUMNS 12

PG_FUNCTION_INFO_V1(airflow_pin_pins);
PG_FUNCTION_INFO_V1(airflow_pin_pins_1_1);

/* Columns of the query of pins(). */
enum
{
	PIN_DAG_ID = 1,
	PIN_VERSION,
	PIN_ON_MISMATCH,
	PIN_COMMIT,
	PIN_BY,
	PIN_AT,
	PIN_EXPIRES,
	PIN_REASON,
	PIN_SCHEDULE
};

/* The pins in force, as the owner of pinned_version. */
static void
read_pins_in_force(void)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run(psprintf("SELECT DISTINCT ON (dag_id) dag_id, version_number, on_mismatch,"
					   " bundle_version, pinned_by, pinned_at, expires_at, reason, %s"
					   " FROM airflow_pin.pinned_version"
					   " WHERE " PIN_RULES " ORDER BY dag_id, valid_from DESC",
					   pin_store_has_schedule() ? "schedule" : "'latest'"),
			  NULL, false, 0);
	owner_scope_leave(&scope);
}

/* A pin in force, and how far it is from what the DAG has now. */
typedef struct PinRow
{
	const AirflowTables *tables;
	const char *dag_id;
	DagVersion latest;
	bool has_latest;
	Drift drift;
} PinRow;

/* What there is to say of the schedule that is in force. */
static void
find_schedule_drift(PinRow *row, const Pin *pin)
{
	DagVersion pinned;
	HoldDrift found;

	if (!version_by_id(row->tables, &pin->dag_version_id, &pinned))
		return;
	hold_drift(row->tables, row->dag_id, pin->hold_schedule, &pinned, &row->latest, &found);
	drift_add(&row->drift, found.schedule_not_held, "schedule_not_held");
	drift_add(&row->drift, found.import_error, "import_error");
	drift_add(&row->drift, found.dag_removed, "dag_removed");
}

/* GuardedCall: compare the pin with Airflow's tables. */
static void
compare_pin(void *arg)
{
	PinRow *row = arg;
	PinList *pins = pins_read(row->dag_id, strlen(row->dag_id));
	const Pin *pin = pins_ruling(pins, GetCurrentTimestamp());

	row->has_latest = version_latest(row->tables, row->dag_id, &row->latest);
	if (pin == NULL)
		return; /* it ended just now */
	if (row->has_latest)
	{
		drift_find(row->tables, row->dag_id, pin, &row->latest, &row->drift);
		find_schedule_drift(row, pin);
	}
	else
		drift_add(&row->drift, true, FAILURE_MISSING);
}

static ArrayType *
drift_array(const Drift *drift)
{
	Datum names[MAX_DRIFT];

	for (int i = 0; i < drift->count; i++)
		names[i] = CStringGetTextDatum(drift->names[i]);
	return construct_array(names, drift->count, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
emit_pin(FunctionCallInfo fcinfo, SPITupleTable *table, uint64 row, const AirflowTables *tables)
{
	HeapTuple tuple = table->vals[row];
	PinRow pin = {.tables = tables, .dag_id = SPI_getvalue(tuple, table->tupdesc, PIN_DAG_ID)};
	static const int copied[][2] = {{PIN_DAG_ID, 0},  {PIN_VERSION, 1}, {PIN_ON_MISMATCH, 4},
									{PIN_COMMIT, 5},  {PIN_BY, 6},		{PIN_AT, 7},
									{PIN_EXPIRES, 8}, {PIN_REASON, 9},	{PIN_SCHEDULE, 11}};
	Datum values[RESULT_COLUMNS] = {0};
	bool nulls[RESULT_COLUMNS] = {false};

	for (int i = 0; i < (int) lengthof(copied); i++)
		values[copied[i][1]] =
			SPI_getbinval(tuple, table->tupdesc, copied[i][0], &nulls[copied[i][1]]);

	if (tables == NULL || guarded_call(compare_pin, &pin) != NULL)
	{
		pin.has_latest = false;
		pin.drift = (Drift){0};
		drift_add(&pin.drift, true, "unknown");
	}
	nulls[2] = nulls[3] = !pin.has_latest;
	if (pin.has_latest)
	{
		values[2] = Int32GetDatum(pin.latest.number);
		values[3] = Int32GetDatum(pin.latest.number - DatumGetInt32(values[1]));
	}
	values[10] = PointerGetDatum(drift_array(&pin.drift));
	result_row(fcinfo, values, nulls);
}

/* GuardedCall: Airflow's tables, where there are any. */
static void
find_tables(void *arg)
{
	airflow_tables_at_once(arg, airflow_schema());
}

/*
 * pins(). What is pinned, it knows from its own tables: a migration that has locked Airflow's, or
 * whatever else keeps them from being read, must not hide the pins from who watches them.
 */
static Datum
pins(FunctionCallInfo fcinfo)
{
	AirflowTables tables;
	ErrorData *error;
	SPITupleTable *table;
	uint64 count;

	result_rows_begin(fcinfo);
	SPI_connect();
	error = guarded_call(find_tables, &tables);
	read_pins_in_force();
	table = SPI_tuptable;
	count = SPI_processed;

	for (uint64 row = 0; row < count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		/* a connection for each pin, so that what its queries return is freed with it */
		SPI_connect();
		emit_pin(fcinfo, table, row, error == NULL ? &tables : NULL);
		SPI_finish();
	}
	SPI_finish();
	return (Datum) 0;
}

/* pins() of 1.0, without column schedule. */
Datum
airflow_pin_pins(PG_FUNCTION_ARGS)
{
	return pins(fcinfo);
}

/* pins() */
Datum
airflow_pin_pins_1_1(PG_FUNCTION_ARGS)
{
	return pins(fcinfo);
}
