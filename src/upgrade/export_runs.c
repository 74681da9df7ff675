/*
 * export_runs.c
 *		export_runs(): the runs that would be lost when a backup is restored, as JSON.
 *
 * A run may have what no jsonb holds: XComs of 256 MB together, or \u0000 in a column of type json.
 * So each run is read for itself, and one that fails part by part.
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "relation/lock_blockers.h"
#include "relation/try_lock.h"
#include "upgrade/rollback_loss.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define RUNS_A_FETCH 100

PG_FUNCTION_INFO_V1(airflow_pin_export_runs);

/* In what follows %1$s is the quoted schema and $1 the id of a run. */
#define TASK_INSTANCES "coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.task_id, t.map_index), '[]')"
#define XCOMS "coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.task_id, x.map_index, x.key), '[]')"

static const char *const runs_sql =
	"SELECT r.id::bigint, r.dag_id::text, r.run_id::text FROM %1$s.dag_run r"
	" WHERE r.updated_at >= $1 ORDER BY r.id";

/* A run with all that hangs on it. */
static const char *const whole_sql =
	"SELECT jsonb_build_object('dag_run', to_jsonb(r),"
	" 'task_instances', (SELECT " TASK_INSTANCES " FROM %1$s.task_instance t"
	"  WHERE t.dag_id = r.dag_id AND t.run_id = r.run_id),"
	" 'xcoms', (SELECT " XCOMS " FROM %1$s.xcom x WHERE x.dag_run_id = r.id))"
	" FROM %1$s.dag_run r WHERE r.id = $1";

/* What stands in the place of parts that cannot be had; $2 and $3 name the run. */
static const char *const outline_sql = "SELECT jsonb_build_object('dag_run',"
									   " jsonb_build_object('id', $1, 'dag_id', $2, 'run_id', $3),"
									   " 'task_instances', NULL, 'xcoms', NULL)";

/* What a part adds to the object so far, which is $2. */
typedef struct RunPart
{
	const char *name;
	const char *sql;
} RunPart;

static const RunPart parts[] = {
	{"dag_run", "SELECT $2 || jsonb_build_object('dag_run', to_jsonb(r))"
				" FROM %1$s.dag_run r WHERE r.id = $1"},
	{"task_instances", "SELECT $2 || jsonb_build_object('task_instances', " TASK_INSTANCES ")"
					   " FROM %1$s.dag_run r JOIN %1$s.task_instance t"
					   " ON t.dag_id = r.dag_id AND t.run_id = r.run_id WHERE r.id = $1"},
	{"xcoms", "SELECT $2 || jsonb_build_object('xcoms', " XCOMS ")"
			  " FROM %1$s.xcom x WHERE x.dag_run_id = $1"},
};

typedef struct RunExport
{
	FunctionCallInfo fcinfo;
	const char *quoted_schema;
	SPIPlanPtr whole; /* of whole_sql */
	int64 id;
	const char *dag_id;
	const char *run_id;
	const RunPart *part;
	Datum object; /* what was built of its parts so far */
} RunExport;

/* GuardedCall: emit the run at once. */
static void
emit_whole(void *arg)
{
	RunExport *run = arg;
	Datum id = Int64GetDatum(run->id);
	Datum value;
	bool isnull;

	SPI_connect();
	if (SPI_execute_plan(run->whole, &id, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "run " INT64_FORMAT " was not found", run->id);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	result_row(run->fcinfo, &value, &isnull);
	SPI_finish();
}

/* Run a query that gives the object, in the caller's memory. */
static void
build(RunExport *run, const char *sql, QueryArgs *args)
{
	MemoryContext caller = CurrentMemoryContext;
	bool isnull;

	SPI_connect();
	query_run(sql, args, true, 1);
	run->object = row_copy(0, 1, JSONBOID, caller, &isnull);
	SPI_finish();
}

/* GuardedCall: add the part to the object. */
static void
add_part(void *arg)
{
	RunExport *run = arg;
	QueryArgs args = {0};

	arg_datum(&args, INT8OID, Int64GetDatum(run->id));
	arg_datum(&args, JSONBOID, run->object);
	build(run, psprintf(run->part->sql, run->quoted_schema), &args);
}

/* Emit the run without the parts that cannot be had, and say which. */
static void
emit_parts(RunExport *run)
{
	QueryArgs args = {0};
	bool isnull = false;

	arg_datum(&args, INT8OID, Int64GetDatum(run->id));
	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	build(run, outline_sql, &args);
	for (int i = 0; i < (int) lengthof(parts); i++)
	{
		ErrorData *error;

		run->part = &parts[i];
		error = guarded_call(add_part, run);
		if (error != NULL)
			ereport(WARNING, (errmsg("run \"%s\" of DAG \"%s\" is exported without its %s",
									 run->run_id, run->dag_id, run->part->name),
							  errdetail("%s", error_text(error))));
	}
	result_row(run->fcinfo, &run->object, &isnull);
}

/* Emit the runs that were just fetched. What that takes of memory goes with each. */
static void
emit_fetched(RunExport *run)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64 count = SPI_processed;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "airflow_pin run", ALLOCSET_DEFAULT_SIZES);
	MemoryContext saved = MemoryContextSwitchTo(context);

	for (uint64 i = 0; i < count; i++)
	{
		bool isnull;

		CHECK_FOR_INTERRUPTS();
		run->id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		run->dag_id = SPI_getvalue(rows->vals[i], rows->tupdesc, 2);
		run->run_id = SPI_getvalue(rows->vals[i], rows->tupdesc, 3);
		if (guarded_call(emit_whole, run) != NULL)
			emit_parts(run);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(saved);
	MemoryContextDelete(context);
	SPI_freetuptable(rows);
}

static void
emit_runs(RunExport *run, Datum since)
{
	Oid run_types[] = {INT8OID};
	Oid types[] = {TIMESTAMPTZOID};
	uint64 fetched;
	Portal portal;

	run->whole = SPI_prepare(psprintf(whole_sql, run->quoted_schema), 1, run_types);
	portal = SPI_cursor_open_with_args(NULL, psprintf(runs_sql, run->quoted_schema), 1, types,
									   &since, NULL, true, 0);
	do
	{
		SPI_cursor_fetch(portal, true, RUNS_A_FETCH);
		fetched = SPI_processed;
		emit_fetched(run);
	} while (fetched > 0);
	SPI_cursor_close(portal);
}

static Oid
lock_for_export(const char *schema, const char *table)
{
	Oid relation = required_relation(schema, table);

	if (!try_lock_for_reading(relation))
		raise_locked(relation, AccessShareLock, schema, table,
					 "Try again when whoever holds it is done.");
	return relation;
}

/*
 * export_runs(since timestamptz)
 */
Datum
airflow_pin_export_runs(PG_FUNCTION_ARGS)
{
	Datum since = TimestampTzGetDatum(required_since(fcinfo));
	const char *schema = airflow_schema();
	RunExport run = {.fcinfo = fcinfo, .quoted_schema = quote_identifier(schema)};
	Oid dag_run = lock_for_export(schema, "dag_run");
	OwnerScope scope;

	(void) lock_for_export(schema, "task_instance");
	(void) lock_for_export(schema, "xcom");
	result_values_begin(fcinfo);
	SPI_connect();
	owner_scope_enter_foreign(&scope, dag_run);
	emit_runs(&run, since);
	owner_scope_leave(&scope);
	SPI_finish();
	return (Datum) 0;
}
