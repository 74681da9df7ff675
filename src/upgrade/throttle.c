/*
 * throttle.c
 *		throttle() and unthrottle(): hold max_active_runs of every DAG down, for the first day after
 *		a migration.
 *
 * The DAG processor writes dag.max_active_runs back at each parse, so a trigger on dag keeps it
 * down. The limit is the trigger's argument: a parse pays for no look-up. What the limits were is
 * remembered in the table throttle; the parse after the end writes them anyway.
 *
 * The scheduler takes the limit from dag from Airflow 3.1 on (jobs/scheduler_job_runner.py:
 * dag_run.max_active_runs), before that from the serialized DAG.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "relation/deferred_trigger.h"
#include "relation/relation.h"
#include "relation/table_ddl.h"
#include "upgrade/label.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/trigger_call.h"

#define TRIGGER_NAME "airflow_pin_throttle"

PG_FUNCTION_INFO_V1(airflow_pin_throttle);
PG_FUNCTION_INFO_V1(airflow_pin_unthrottle);
PG_FUNCTION_INFO_V1(airflow_pin_hold_max_active_runs);

typedef struct ThrottleCall
{
	const char *label;
	int limit; /* 0: none any more */
	Oid dag;
	const char *table; /* its quoted name */
} ThrottleCall;

/* The row of table throttle. */
typedef struct InForce
{
	const char *label;
	int limit;
	const char *before; /* the DAGs' own limits, as JSON */
} InForce;

/* Trigger: a limit above the argument becomes the argument. */
Datum
airflow_pin_hold_max_active_runs(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_before_write_row(fcinfo, "hold_max_active_runs");
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple row =
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	int column = SPI_fnumber(desc, "max_active_runs");
	Datum limit;
	Datum value;
	bool isnull;

	if (column <= 0 || SPI_gettypeid(desc, column) != INT4OID || trigger->tg_trigger->tgnargs != 1)
		return PointerGetDatum(row);
	limit = DirectFunctionCall1(int4in, CStringGetDatum(trigger->tg_trigger->tgargs[0]));
	value = heap_getattr(row, column, desc, &isnull);
	if (!isnull && DatumGetInt32(value) <= DatumGetInt32(limit))
		return PointerGetDatum(row);
	isnull = false;
	return PointerGetDatum(heap_modify_tuple_by_cols(row, desc, 1, &column, &limit, &isnull));
}

static void
find_dag(ThrottleCall *call)
{
	const char *schema = airflow_schema();
	Oid dag_run = required_relation(schema, "dag_run");

	call->dag = required_relation(schema, "dag");
	call->table = quote_qualified_identifier(schema, "dag");
	/* A column that came with 3.1. */
	if (get_attnum(dag_run, "triggering_user_name") == InvalidAttrNumber)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("runs can be throttled from Airflow 3.1 on"),
						errdetail("Before that the scheduler takes max_active_runs from the "
								  "serialized DAG, not from table dag."),
						errhint("Bring DAGs back in smaller waves: airflow_pin.resume().")));
}

/* What is in force, in the SPI procedure's memory. Returns false when nothing is. */
static bool
read_in_force(InForce *in_force)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("throttle"));
	query_run("SELECT label, max_active_runs, before::text FROM airflow_pin.throttle", NULL, false,
			  1);
	owner_scope_leave(&scope);
	if (SPI_processed == 0)
		return false;
	in_force->label = row_required_text(0, 1);
	in_force->limit = row_int(0, 2);
	in_force->before = row_required_text(0, 3);
	return true;
}

static bool
has_trigger(Oid dag)
{
	QueryArgs args = {0};

	arg_datum(&args, OIDOID, ObjectIdGetDatum(dag));
	query_run("SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid OPERATOR(pg_catalog.=) $1"
			  " AND t.tgname OPERATOR(pg_catalog.=) '" TRIGGER_NAME "'",
			  &args, false, 1);
	return SPI_processed > 0;
}

/*
 * The statements that put the trigger there with the limit, or take it off. A scheduler locks rows
 * of dag before it updates them. CREATE TRIGGER alone would get its lock in between, and the two
 * would wait for each other: so all others must be done with the table first.
 */
static void
prepare_trigger(TableDdl *ddl)
{
	const ThrottleCall *call = ddl->arg;

	table_ddl_add(ddl, "dag", call->dag,
				  psprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", call->table));
	if (has_trigger(call->dag))
		table_ddl_add(ddl, "dag", call->dag,
					  psprintf("DROP TRIGGER " TRIGGER_NAME " ON %s", call->table));
	if (call->limit == 0)
		return;
	table_ddl_add(ddl, "dag", call->dag,
				  psprintf("CREATE TRIGGER " TRIGGER_NAME " BEFORE INSERT OR UPDATE ON %s"
						   " FOR EACH ROW EXECUTE FUNCTION airflow_pin.hold_max_active_runs('%d')",
						   call->table, call->limit));
	table_ddl_add(ddl, "dag", call->dag,
				  psprintf("ALTER TRIGGER " TRIGGER_NAME " ON %s DEPENDS ON EXTENSION airflow_pin",
						   call->table));
}

static void
set_trigger(ThrottleCall *call)
{
	TableDdl ddl = {.lock_timeout = TABLE_DDL_LOCK_TIMEOUT,
					.lock = AccessExclusiveLock,
					.arg = call,
					.prepare = prepare_trigger};

	table_ddl_run(&ddl);
	require_no_deferred_trigger(call->dag);
}

/* Remember the limits that are above; what was remembered under the label before goes on. */
static void
remember(const ThrottleCall *call)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_int(&args, call->limit);
	owner_scope_enter_foreign(&scope, call->dag);
	query_run(psprintf("SELECT coalesce(jsonb_object_agg(dag_id, max_active_runs), '{}')::text"
					   " FROM %s WHERE max_active_runs > $1 OR max_active_runs IS NULL",
					   call->table),
			  &args, false, 1);
	owner_scope_leave(&scope);
	arg_text(&args, call->label);
	arg_text(&args, row_required_text(0, 1));
	owner_scope_enter(&scope, pin_relation("throttle"));
	query_run("INSERT INTO airflow_pin.throttle AS t (max_active_runs, label, before)"
			  " VALUES ($1, $2, $3::jsonb) ON CONFLICT (label) DO UPDATE SET"
			  " max_active_runs = excluded.max_active_runs, before = excluded.before || t.before,"
			  " throttled_at = excluded.throttled_at, throttled_by = excluded.throttled_by",
			  &args, false, 0);
	owner_scope_leave(&scope);
}

/*
 * Give back what was remembered, where nobody has set another limit since; a trigger holds it to
 * the new one. Returns the number of DAGs.
 */
static int32
raise_limits(const ThrottleCall *call, int32 limit, const char *before)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_int(&args, limit);
	arg_text(&args, before);
	owner_scope_enter_foreign(&scope, call->dag);
	query_run(psprintf("UPDATE %s d SET max_active_runs = b.value::int"
					   " FROM jsonb_each_text($2::jsonb) b"
					   " WHERE d.dag_id = b.key AND d.max_active_runs = $1",
					   call->table),
			  &args, false, 0);
	owner_scope_leave(&scope);
	return (int32) SPI_processed;
}

/* The trigger does the rest. Returns the number of DAGs. */
static int32
lower_limits(const ThrottleCall *call)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_int(&args, call->limit);
	owner_scope_enter_foreign(&scope, call->dag);
	query_run(psprintf("UPDATE %s SET max_active_runs = $1"
					   " WHERE max_active_runs > $1 OR max_active_runs IS NULL",
					   call->table),
			  &args, false, 0);
	owner_scope_leave(&scope);
	return (int32) SPI_processed;
}

/*
 * throttle(label text, max_active_runs integer)
 */
Datum
airflow_pin_throttle(PG_FUNCTION_ARGS)
{
	ThrottleCall call = {.label = required_label(fcinfo)};
	InForce earlier;
	bool again;
	int32 changed = 0;

	if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_active_runs must be at least 1"),
						errhint("To let nothing run, pause: airflow_pin.pause_all().")));
	call.limit = PG_GETARG_INT32(1);
	find_dag(&call);
	SPI_connect();
	again = read_in_force(&earlier);
	if (again && strcmp(earlier.label, call.label) != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("runs are throttled under label \"%s\" already", earlier.label),
						errhint("Call it with that label, or first unthrottle(%s).",
								quote_literal_cstr(earlier.label))));
	set_trigger(&call);
	if (again && earlier.limit != call.limit)
		changed = raise_limits(&call, earlier.limit, earlier.before);
	remember(&call);
	changed += lower_limits(&call);
	SPI_finish();
	PG_RETURN_INT32(changed);
}

static void
require_in_force(const char *label, InForce *in_force)
{
	bool throttled = read_in_force(in_force);

	if (throttled && strcmp(in_force->label, label) == 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("runs are not throttled under label \"%s\"", label),
					throttled ? errdetail("They are under label \"%s\".", in_force->label)
							  : errdetail("They are not throttled."),
					errhint("SELECT label FROM airflow_pin.throttle shows what is in force.")));
}

/*
 * unthrottle(label text)
 */
Datum
airflow_pin_unthrottle(PG_FUNCTION_ARGS)
{
	ThrottleCall call = {.label = required_label(fcinfo)};
	QueryArgs args = {0};
	OwnerScope scope;
	InForce in_force;
	int32 raised;

	find_dag(&call);
	SPI_connect();
	require_in_force(call.label, &in_force);
	arg_text(&args, call.label);
	owner_scope_enter(&scope, pin_relation("throttle"));
	query_run("DELETE FROM airflow_pin.throttle WHERE label = $1", &args, false, 0);
	owner_scope_leave(&scope);
	set_trigger(&call);
	raised = raise_limits(&call, in_force.limit, in_force.before);
	SPI_finish();
	PG_RETURN_INT32(raised);
}
