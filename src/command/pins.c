/*
 * pins.c
 *		pins(): what is pinned, and how it differs from the latest.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "dag/serialized_dag.h"
#include "dag/commit.h"
#include "dag/version.h"
#include "hold/hold_drift.h"
#include "pin/pin.h"
#include "pin/pin_store.h"
#include "relation/relation.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

#define MAX_DRIFT 9

/* Columns of the result; the function of 1.0 has one fewer. */
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
	PIN_DAG_VERSION_ID,
	PIN_DAG_HASH,
	PIN_SOURCE_HASH,
	PIN_SCHEDULE
};

/* The pins in force, as the owner of pinned_version. */
static void
read_pins_in_force(void)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run(psprintf("SELECT DISTINCT ON (dag_id) dag_id, version_number, on_mismatch,"
					   " bundle_version, pinned_by, pinned_at, expires_at, reason, dag_version_id,"
					   " dag_hash, source_code_hash, %s FROM airflow_pin.pinned_version"
					   " WHERE " PIN_RULES " ORDER BY dag_id, valid_from DESC",
					   pin_store_has_schedule() ? "schedule" : "'latest'"),
			  NULL, false, 0);
	owner_scope_leave(&scope);
}

/* Names of drift, collected. */
typedef struct Drift
{
	int count;
	Datum names[MAX_DRIFT];
} Drift;

static void
add_drift(Drift *drift, bool condition, const char *name)
{
	if (condition)
		drift->names[drift->count++] = CStringGetTextDatum(name);
}

/* Two values of a serialized DAG; NULL where there is none. */
static bool
json_differs(JsonbContainer *a, JsonbContainer *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	return compareJsonbContainers(a, b) != 0;
}

/* What takes the content of the two versions, for guarded_call(). */
typedef struct ContentComparison
{
	const AirflowTables *tables;
	const DagVersion *pinned;
	const DagVersion *latest;
	const char *dag_id;
	bool unversioned;
	bool tasks_differ;
	bool schedule_differs;
} ContentComparison;

static void
find_commit(void *arg)
{
	ContentComparison *comparison = arg;

	comparison->unversioned =
		new_run_commit(comparison->tables, comparison->dag_id, comparison->latest) == NULL;
}

static void
compare_content(void *arg)
{
	ContentComparison *comparison = arg;
	Jsonb *a = serialized_dag_load(comparison->tables, &comparison->pinned->id);
	Jsonb *b = serialized_dag_load(comparison->tables, &comparison->latest->id);
	JsonbContainer *left;
	JsonbContainer *right;

	if (a == NULL || b == NULL)
		return;
	left = serialized_dag_body(a);
	right = serialized_dag_body(b);
	comparison->tasks_differ =
		json_differs(json_child(left, "tasks"), json_child(right, "tasks")) ||
		json_differs(json_child(left, "task_group"), json_child(right, "task_group")) ||
		json_differs(json_child(&a->root, "client_defaults"),
					 json_child(&b->root, "client_defaults"));
	comparison->schedule_differs =
		json_differs(json_child(left, "timetable"), json_child(right, "timetable"));
}

static bool
texts_differ(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* One pin, copied out of the query's result. */
typedef struct PinRow
{
	char *dag_id;
	pg_uuid_t dag_version_id;
	char *dag_hash;
	char *source_hash;
	bool holds_schedule;
} PinRow;

/* What there is to say of the schedule that is in force. */
static void
find_schedule_drift(const AirflowTables *tables, const PinRow *pin, const DagVersion *pinned,
					const DagVersion *latest, Drift *drift)
{
	HoldDrift found;

	hold_drift(tables, pin->dag_id, pin->holds_schedule, pinned, latest, &found);
	add_drift(drift, found.schedule_not_held, "schedule_not_held");
	add_drift(drift, found.import_error, "import_error");
	add_drift(drift, found.dag_removed, "dag_removed");
}

static void
find_drift(const AirflowTables *tables, const PinRow *pin, const DagVersion *latest, Drift *drift)
{
	DagVersion pinned;
	ContentComparison comparison = {
		.tables = tables, .dag_id = pin->dag_id, .pinned = &pinned, .latest = latest};

	if (!version_by_id(tables, &pin->dag_version_id, &pinned))
	{
		add_drift(drift, true, "version_missing");
		return;
	}
	add_drift(drift, latest->number > pinned.number, "newer_version");
	/* content that cannot be read tells nothing about itself, and must not hide the other pins */
	if (texts_differ(pinned.dag_hash, latest->dag_hash) &&
		guarded_call(compare_content, &comparison) == NULL)
	{
		add_drift(drift, comparison.tasks_differ, "tasks_differ");
		add_drift(drift, comparison.schedule_differs, "schedule_differs");
	}
	add_drift(drift,
			  texts_differ(pin->source_hash, latest->source_code_hash) ||
				  texts_differ(pin->dag_hash, pinned.dag_hash),
			  "content_changed");
	if (guarded_call(find_commit, &comparison) == NULL)
		add_drift(drift, comparison.unversioned, "bundle_unversioned");
	find_schedule_drift(tables, pin, &pinned, latest, drift);
}

static void
emit_pin(FunctionCallInfo fcinfo, SPITupleTable *table, uint64 row, const AirflowTables *tables)
{
	HeapTuple tuple = table->vals[row];
	PinRow pin = {.dag_id = SPI_getvalue(tuple, table->tupdesc, PIN_DAG_ID),
				  .dag_hash = SPI_getvalue(tuple, table->tupdesc, PIN_DAG_HASH),
				  .source_hash = SPI_getvalue(tuple, table->tupdesc, PIN_SOURCE_HASH)};
	static const int copied[][2] = {{PIN_DAG_ID, 0},  {PIN_VERSION, 1}, {PIN_ON_MISMATCH, 4},
									{PIN_COMMIT, 5},  {PIN_BY, 6},		{PIN_AT, 7},
									{PIN_EXPIRES, 8}, {PIN_REASON, 9},	{PIN_SCHEDULE, 11}};
	Datum values[RESULT_COLUMNS] = {0};
	bool nulls[RESULT_COLUMNS] = {false};
	Drift drift = {0};
	DagVersion latest;
	bool has_latest;
	bool isnull;

	pin.dag_version_id =
		*DatumGetUUIDP(SPI_getbinval(tuple, table->tupdesc, PIN_DAG_VERSION_ID, &isnull));
	for (int i = 0; i < (int) lengthof(copied); i++)
		values[copied[i][1]] =
			SPI_getbinval(tuple, table->tupdesc, copied[i][0], &nulls[copied[i][1]]);

	pin.holds_schedule =
		strcmp(SPI_getvalue(tuple, table->tupdesc, PIN_SCHEDULE), "pinned") == 0;
	has_latest = tables != NULL && version_latest(tables, pin.dag_id, &latest);
	nulls[2] = nulls[3] = !has_latest;
	if (has_latest)
	{
		values[2] = Int32GetDatum(latest.number);
		values[3] = Int32GetDatum(latest.number - DatumGetInt32(values[1]));
		find_drift(tables, &pin, &latest, &drift);
	}
	else
		add_drift(&drift, true, "version_missing");
	values[10] = PointerGetDatum(
		construct_array(drift.names, drift.count, TEXTOID, -1, false, TYPALIGN_INT));
	result_row(fcinfo, values, nulls);
}

/* GuardedCall: Airflow's tables, where there are any. */
static void
find_tables(void *arg)
{
	airflow_tables_at_once(arg, airflow_schema());
}

/*
 * pins(). Also tells the pins of a database whose Airflow tables are gone, but not that a version
 * is missing where its table is only locked, or in a schema that was not named: then it says that.
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
	if (error != NULL && (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
						  error->sqlerrcode == ERRCODE_INVALID_SCHEMA_NAME))
		ReThrowError(error);
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
