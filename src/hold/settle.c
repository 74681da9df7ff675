/*
 * settle.c
 *		At commit: rows of "dag" that follow from what the transaction did.
 *
 * A pin that begins, moves or ends changes the next run of its DAG, and nobody else writes the row
 * then. Airflow 3.0 and 3.1 write none after a run either where the latest version has no schedule
 * (_should_update_dag_next_dagruns in airflow/jobs/scheduler_job_runner.py), and no Airflow does where
 * it is not the scheduler that ends a run.
 *
 * The scheduler takes the row's lock before it creates runs, so nobody may hold that lock for long, or
 * wait for it: the row is written at the very end of the transaction, by a deferred trigger of our own
 * tables, and only where its lock is free at once. Whoever has it writes the row anyway.
 */
#include "hold/settle.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "hold/hold_note.h"
#include "hold/hold_schedule.h"
#include "hold/schedule_in_force.h"
#include "pin/cache.h"
#include "relation/relation.h"
#include "settings.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/trigger_call.h"

typedef struct SettleCall
{
	char *dag_id;
	SettleReason reason;
} SettleCall;

typedef struct DueCall
{
	const char *dag_id;
	const char *event;
} DueCall;

PG_FUNCTION_INFO_V1(airflow_pin_settle_schedule);

/* Does a pin that is in force now hold the DAG's schedule? */
static bool
is_held(const char *dag_id)
{
	const Pin *pin = pins_ruling(pin_cache_read(dag_id), GetCurrentTimestamp());

	return pin != NULL && pin->hold_schedule;
}

/* GuardedCall */
static void
settle(void *arg)
{
	SettleCall *call = arg;
	const bool held = is_held(call->dag_id);
	const char *schema;
	AirflowTables tables;

	if (call->reason == SETTLE_GIVE_BACK && held)
		call->reason = SETTLE_PIN;
	if (!held && call->reason != SETTLE_GIVE_BACK)
		return;
	SPI_connect();
	schema = airflow_attached_schema();
	if (schema != NULL)
	{
		airflow_tables_at_once(&tables, schema);
		if (schedule_obstacle(tables.dag) == NULL)
			settle_row(&tables, call->dag_id, call->reason);
	}
	SPI_finish();
}

/* GuardedCall: the row that had this done has served. */
static void
remove_due(void *arg)
{
	static KeptPlan plan;
	TriggerData *trigger = arg;
	QueryArgs args = {0};
	OwnerScope scope;

	SPI_connect();
	arg_datum(&args, TIDOID, PointerGetDatum(&trigger->tg_trigtuple->t_self));
	owner_scope_enter(&scope, RelationGetRelid(trigger->tg_relation));
	query_run_kept(&plan, "DELETE FROM airflow_pin.schedule_due WHERE ctid = $1", &args, 0);
	owner_scope_leave(&scope);
	SPI_finish();
}

/* Was this row of pinned_version one in force, and did it hold the schedule? */
static bool
held_schedule(TriggerData *trigger, HeapTuple pin)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	char *schedule = trigger_column_text(trigger, pin, "schedule");
	bool isnull;
	Datum valid_from;

	if (schedule == NULL || strcmp(schedule, "pinned") != 0)
		return false;
	valid_from = SPI_getbinval(pin, desc, SPI_fnumber(desc, "valid_from"), &isnull);
	return !isnull && DatumGetTimestampTz(valid_from) <= GetCurrentTimestamp();
}

/* What the change of pinned_version or schedule_due asks for. False: nothing. */
static bool
read_call(TriggerData *trigger, SettleCall *call)
{
	HeapTuple old = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? NULL : trigger->tg_trigtuple;
	HeapTuple new = trigger->tg_trigtuple;
	char *event;

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		new = trigger->tg_newtuple;
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		new = NULL;
	call->dag_id = trigger_column_text(trigger, new ? new : old, "dag_id");
	if (RelationGetRelid(trigger->tg_relation) == pin_relation("schedule_due"))
	{
		event = trigger_column_text(trigger, new ? new : old, "event");
		call->reason = SETTLE_RUN;
		return event != NULL && strcmp(event, "missed") != 0;
	}
	call->reason = SETTLE_PIN;
	if (old != NULL && held_schedule(trigger, old))
		call->reason = SETTLE_GIVE_BACK;
	return call->reason == SETTLE_GIVE_BACK || (new != NULL &&held_schedule(trigger, new));
}

/*
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW, deferred, on pinned_version, and AFTER INSERT on
 * schedule_due.
 */
Datum
airflow_pin_settle_schedule(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	SettleCall call;
	ErrorData *error;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		raise_wrong_trigger("settle_schedule", "AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW");
	if (!read_call(trigger, &call))
		return PointerGetDatum(NULL);
	if (airflow_pin_enabled && (error = guarded_call(settle, &call)) != NULL)
		ereport(LOG,
				(errmsg("airflow_pin: could not set the next run of DAG \"%s\" right", call.dag_id),
				 errdetail_log("%s", error_sentences(error)),
				 errhint("The next parse of the DAG does."), errhidestmt(true),
				 errhidecontext(true)));
	if (call.reason == SETTLE_RUN)
		(void) guarded_call(remove_due, trigger);
	return PointerGetDatum(NULL);
}

/* GuardedCall */
static void
note_due(void *arg)
{
	DueCall *call = arg;

	SPI_connect();
	add_due(call->dag_id, call->event);
	SPI_finish();
}

static void
settle_later(const char *dag_id, const char *event)
{
	DueCall call = {.dag_id = dag_id, .event = event};
	ErrorData *error = guarded_call(note_due, &call);

	if (error != NULL)
		ereport(
			LOG,
			(errmsg("airflow_pin: could not note that a run of DAG \"%s\" has %s", dag_id, event),
			 errdetail_log("%s", error_sentences(error)), errhidestmt(true), errhidecontext(true)));
}

/*
 * A run of a DAG with that pin in force is being inserted. From 3.2 on, which a column of dag_run tells,
 * the scheduler writes the row of "dag" in the same transaction, whatever the latest schedule is.
 */
void
settle_after_insert(const Pin *pin, Oid dag_run, const char *dag_id, RunType run_type)
{
	if (pin != NULL && pin->hold_schedule && run_type == RUN_SCHEDULED &&
		get_attnum(dag_run, "partition_key") == InvalidAttrNumber)
		settle_later(dag_id, "begun");
}

static bool
is_active(const char *state)
{
	return strcmp(state, "queued") == 0 || strcmp(state, "running") == 0;
}

static char *
state_of(const DagRunColumns *columns, TupleDesc desc, HeapTuple tuple)
{
	bool isnull;
	Datum state = heap_getattr(tuple, columns->state, desc, &isnull);

	return isnull ? pstrdup("") : TextDatumGetCString(state);
}

/* GuardedCall: note that the number of active runs changes, where that matters. */
static void
note_if_held(void *arg)
{
	const char *dag_id = arg;

	if (is_held(dag_id))
		settle_later(dag_id, "ended");
}

/*
 * The state of a run is being updated: does it end, or begin again, so that another number of runs is
 * active?
 */
void
settle_after_update(const DagRunColumns *columns, TupleDesc desc, HeapTuple before, HeapTuple after)
{
	bool isnull;
	Datum value = heap_getattr(after, columns->dag_id, desc, &isnull);
	char *dag_id;
	ErrorData *error;

	if (isnull || pin_cache_get(VARDATA_ANY(DatumGetPointer(value)),
								VARSIZE_ANY_EXHDR(DatumGetPointer(value))) == NULL)
		return;
	if (is_active(state_of(columns, desc, before)) == is_active(state_of(columns, desc, after)))
		return;
	dag_id = TextDatumGetCString(value);
	if ((error = guarded_call(note_if_held, dag_id)) != NULL)
		ereport(LOG, (errmsg("airflow_pin: could not tell whether the schedule of DAG \"%s\" is "
							 "held",
							 dag_id),
					  errdetail_log("%s", error_sentences(error)), errhidestmt(true),
					  errhidecontext(true)));
}
