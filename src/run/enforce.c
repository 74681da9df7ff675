/*
 * enforce.c
 *		The trigger on dag_run: let a new run pass, rewrite it, or refuse it. Re-runs are in rerun.c.
 *
 * Every run of every DAG comes through here, so the way of a run that no pin touches is short: a
 * look into the cache, no SPI, no snapshot, no allocation.
 *
 * An error raised on a scheduler's insert ends the scheduler, and with it every DAG. So only runs
 * that somebody asked for are refused with an error; a scheduler's run is refused by letting it be
 * born failed, which Airflow takes for a run that has ended (airflow/jobs/scheduler_job_runner.py).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "airflow/dag_run_columns.h"
#include "airflow/tables.h"
#include "dag/version.h"
#include "hold/settle.h"
#include "instances/changed_run.h"
#include "instances/rewritten_runs.h"
#include "pin/cache.h"
#include "pin/pin.h"
#include "run/decide.h"
#include "run/decision_log.h"
#include "run/rerun.h"
#include "settings.h"
#include "util/copy_text.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"
#include "util/trigger_call.h"

/* Runs that a person or a task asked for, and that can be refused with an error. */
#define ASKED_FOR (RUN_MANUAL | RUN_BACKFILL | RUN_OPERATOR_TRIGGERED | RUN_ASSET_MATERIALIZATION)

/* The row that is being inserted. */
typedef struct NewRun
{
	HeapTuple tuple;
	TupleDesc desc;
	const DagRunColumns *columns;
} NewRun;

/* What runs under guarded_call(). */
typedef struct DecideCall
{
	const NewRun *run;
	Oid relation;
	RunRequest *request;
	const Pin *pin;
	Decision decision;
	bool asked_for;
	MemoryContext context;
} DecideCall;

typedef struct FillCall
{
	const char *dag_id;
	size_t length;
	const PinList *pins;
} FillCall;

PG_FUNCTION_INFO_V1(airflow_pin_enforce_run);

static Datum
column_value(const NewRun *run, AttrNumber column, bool *isnull)
{
	if (column == InvalidAttrNumber)
	{
		*isnull = true;
		return (Datum) 0;
	}
	return heap_getattr(run->tuple, column, run->desc, isnull);
}

static char *
column_text(const NewRun *run, AttrNumber column)
{
	bool isnull;
	Datum value = column_value(run, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* conf as an object, or NULL. */
static JsonbContainer *
run_conf(const NewRun *run)
{
	bool isnull;
	Datum value = column_value(run, run->columns->conf, &isnull);
	Oid type;

	if (isnull)
		return NULL;
	type = TupleDescAttr(run->desc, run->columns->conf - 1)->atttypid;
	if (type == JSONOID)
		value = DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(value)));
	else if (type != JSONBOID)
		return NULL;
	return &DatumGetJsonbP(value)->root;
}

/* GuardedCall: the version that the run asks for in its conf. */
static void
read_override(void *arg)
{
	DecideCall *call = arg;
	RunRequest *request = call->request;
	JsonbValue *value = json_member(run_conf(call->run), "airflow_pin_version");
	char *text;
	char *end;
	long number;

	if (value == NULL || value->type == jbvNull)
		return;
	if (json_string_is(value, "latest"))
	{
		request->override = OVERRIDE_LATEST;
		return;
	}
	request->override = OVERRIDE_INVALID;
	if ((text = json_string(value)) == NULL)
		return;
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && number > 0 && number <= PG_INT32_MAX)
	{
		request->override = OVERRIDE_NUMBER;
		request->override_number = number;
	}
}

static void
read_request(const NewRun *run, RunRequest *request)
{
	bool isnull;
	Datum version = column_value(run, run->columns->created_dag_version_id, &isnull);

	if (run->columns->id != InvalidAttrNumber)
		request->id = SPI_getvalue(run->tuple, run->desc, run->columns->id);
	request->dag_id = column_text(run, run->columns->dag_id);
	request->run_id = column_text(run, run->columns->run_id);
	request->run_type_name = column_text(run, run->columns->run_type);
	request->run_type = run_type_from_name(request->run_type_name, strlen(request->run_type_name));
	request->version = isnull ? NULL : DatumGetUUIDP(version);
	request->commit = column_text(run, run->columns->bundle_version);
}

/* Will the table itself refuse the row? NOT NULL is checked after BEFORE triggers. */
static bool
is_incomplete(const NewRun *run)
{
	bool no_run_id;
	bool no_run_type;

	(void) column_value(run, run->columns->run_id, &no_run_id);
	(void) column_value(run, run->columns->run_type, &no_run_type);
	return no_run_id || no_run_type;
}

/* The run_id of a run of "airflow tasks test" (_generate_temporary_run_id in cli/commands/task_command.py). */
#define TEMPORARY_RUN "__airflow_temporary_run_"

/*
 * Is this a run of "airflow dags test" or "airflow tasks test", which run the files at hand? The
 * second one says so in its run_id only. That alone is no proof, because whoever triggers a run may
 * give it any id; but what is triggered is queued, and these are inserted as running.
 */
static bool
is_test_run(const NewRun *run, const char *state)
{
	char *triggered_by = column_text(run, run->columns->triggered_by);
	char *run_id = column_text(run, run->columns->run_id);
	char *run_type = column_text(run, run->columns->run_type);

	if (triggered_by != NULL && pg_strcasecmp(triggered_by, "test") == 0)
		return true;
	return state != NULL && strcmp(state, "running") == 0 && run_id != NULL &&
		   strncmp(run_id, TEMPORARY_RUN, strlen(TEMPORARY_RUN)) == 0 && run_type != NULL &&
		   strcmp(run_type, "manual") == 0;
}

/*
 * Is this a run that Airflow creates in order to run it? Not one that comes with its end, not one of
 * a backup, which pg_restore loads with COPY and whose task instances follow, and not one of a test.
 */
static bool
will_run(const NewRun *run, Oid relation)
{
	char *state = column_text(run, run->columns->state);

	if (row_is_copied(relation))
		return false;
	if (state != NULL && strcmp(state, "queued") != 0 && strcmp(state, "running") != 0)
		return false;
	return !is_test_run(run, state);
}

/* A scheduler's job id in the row tells for certain that no error may be raised. */
static bool
is_asked_for(const NewRun *run, RunType run_type)
{
	bool by_nobody;

	(void) column_value(run, run->columns->creating_job_id, &by_nobody);
	return by_nobody && (run_type & ASKED_FOR) != 0;
}

static void
raise_refused(const RunRequest *request, const Decision *decision)
{
	ereport(ERROR, (errcode(ERRCODE_RAISE_EXCEPTION),
					errmsg("airflow_pin refused %s run \"%s\" of DAG \"%s\"",
						   request->run_type_name, request->run_id, request->dag_id),
					errdetail("%s", decision->detail),
					decision->hint ? errhint("%s", decision->hint) : 0));
}

/* Keep what the caller needs of the decision beyond SPI_finish(). */
static void
keep_decision(DecideCall *call)
{
	MemoryContext saved = MemoryContextSwitchTo(call->context);
	Decision *decision = &call->decision;

	decision->detail = pstrdup(decision->detail);
	decision->hint = copy_text(decision->hint);
	decision->effective_commit = copy_text(decision->effective_commit);
	decision->effective.dag_hash = copy_text(decision->effective.dag_hash);
	MemoryContextSwitchTo(saved);
}

/*
 * GuardedCall: decide, and record it, or raise the refusal.
 */
static void
decide_and_record(void *arg)
{
	DecideCall *call = arg;
	Decision *decision = &call->decision;
	AirflowTables tables;

	SPI_connect();
	/* conf of type json can hold what jsonb cannot; such a conf asks for no version */
	(void) guarded_call(read_override, call);
	airflow_tables(&tables, get_namespace_name(get_rel_namespace(call->relation)));
	decide_run(&tables, call->request, call->pin, decision);

	if (decision->action != RUN_LATEST && decision->action != RUN_MATCHES)
	{
		if (call->asked_for && (decision->action == RUN_REJECT || decision->action == RUN_FAILED))
			raise_refused(call->request, decision);
		if (decision->rewritten && decision->has_effective &&
			!version_lock(&tables, &decision->effective.id))
			ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
							errmsg("version %d of DAG \"%s\" was deleted",
								   decision->effective.number, call->request->dag_id),
							errhint("Pin a version that exists, or unpin the DAG.")));
		decision_record(&tables, call->request, decision);
	}
	keep_decision(call);
	SPI_finish();
}

/* GuardedCall: read the DAG's pins. */
static void
fill_cache(void *arg)
{
	FillCall *call = arg;

	call->pins = pin_cache_fill(call->dag_id, call->length);
}

static HeapTuple
set_version(const NewRun *run, const Decision *decision)
{
	int columns[] = {run->columns->created_dag_version_id, run->columns->bundle_version};
	Datum values[2];
	bool nulls[] = {false, decision->effective_commit == NULL};

	values[0] = UUIDPGetDatum(&decision->effective.id);
	values[1] =
		decision->effective_commit ? CStringGetTextDatum(decision->effective_commit) : (Datum) 0;
	return heap_modify_tuple_by_cols(run->tuple, run->desc, 2, columns, values, nulls);
}

/* Let the run be born failed: nothing starts, and Airflow goes on to the next interval. */
static HeapTuple
set_failed(const NewRun *run, HeapTuple tuple)
{
	Datum now = TimestampTzGetDatum(GetCurrentTimestamp());
	int columns[3];
	Datum values[3];
	bool nulls[] = {false, false, false};
	int count = 0;

	columns[count] = run->columns->state;
	values[count++] = CStringGetTextDatum("failed");
	if (run->columns->start_date != InvalidAttrNumber)
	{
		columns[count] = run->columns->start_date;
		values[count++] = now;
	}
	if (run->columns->end_date != InvalidAttrNumber)
	{
		columns[count] = run->columns->end_date;
		values[count++] = now;
	}
	return heap_modify_tuple_by_cols(tuple, run->desc, count, columns, values, nulls);
}

/* Its task instances will come with the version that was asked for, if that is another one. */
static void
note_rewritten_run(Oid relation, const RunRequest *request, const Decision *decision)
{
	ChangedRun run = {.dag_run_id = request->id,
					  .dag_id = request->dag_id,
					  .run_id = request->run_id,
					  .airflow_schema = get_namespace_name(get_rel_namespace(relation)),
					  .requested_commit = request->commit,
					  .effective = decision->effective.id,
					  .effective_hash = decision->effective.dag_hash};

	if (request->version == NULL ||
		memcmp(request->version, &decision->effective.id, sizeof(pg_uuid_t)) == 0)
		return;
	run.has_requested = true;
	run.requested = *request->version;
	rewritten_run_add(&run);
}

static HeapTuple
apply_decision(const NewRun *run, Oid relation, const RunRequest *request, const Decision *decision)
{
	HeapTuple tuple = run->tuple;

	if (decision->rewritten && decision->has_effective)
	{
		tuple = set_version(run, decision);
		note_rewritten_run(relation, request, decision);
	}
	if (decision->action == RUN_REJECT || decision->action == RUN_FAILED)
		tuple = set_failed(run, tuple);
	return tuple;
}

/* GuardedCall: record what handle_error() has made of the run. */
static void
record_failure(void *arg)
{
	DecideCall *call = arg;
	AirflowTables tables = {.schema = get_namespace_name(get_rel_namespace(call->relation))};

	SPI_connect();
	decision_record(&tables, call->request, &call->decision);
	SPI_finish();
}

/*
 * Something went wrong while deciding. Whoever asked for the run is told; a scheduler's run is
 * born failed, as Airflow wanted it, and run_decision, if it can be written, and the server log say
 * why.
 */
static HeapTuple
handle_error(DecideCall *call, ErrorData *error)
{
	/* SQLSTATEs of class 23 would be taken for "exists already", those of 40 and 55 be retried */
	if (call->asked_for)
		ereport(ERROR, (errcode(ERRCODE_RAISE_EXCEPTION), errmsg("%s", error->message),
						error->detail ? errdetail("%s", error->detail) : 0,
						error->hint ? errhint("%s", error->hint) : 0));

	call->decision = (Decision){.action = RUN_FAILED};
	call->decision.detail = psprintf("The pin could not be enforced: %s", error_sentences(error));
	(void) guarded_call(record_failure, call);
	decision_log(call->request, &call->decision);
	return set_failed(call->run, call->run->tuple);
}

/*
 * dag_run lacks a column that pins need: an Airflow of the future, or somebody's ALTER TABLE. A run
 * of a pinned DAG is refused as far as that can still be done.
 */
static HeapTuple
refuse_unknown_table(const NewRun *run)
{
	const char *column = run->columns->missing;
	char *run_type = column_text(run, run->columns->run_type);

	if (run_type != NULL && is_asked_for(run, run_type_from_name(run_type, strlen(run_type))))
		ereport(ERROR, (errcode(ERRCODE_RAISE_EXCEPTION),
						errmsg("airflow_pin refused a run of a pinned DAG"),
						errdetail("Table dag_run has no column \"%s\" of the type that it has in "
								  "Airflow 3.",
								  column),
						errhint("See SELECT * FROM airflow_pin.status();")));
	ereport(LOG, (errmsg("airflow_pin: cannot hold a run of a pinned DAG: dag_run has no column "
						 "\"%s\" of the type that it has in Airflow 3",
						 column),
				  errhint("See SELECT * FROM airflow_pin.status();"), errhidestmt(true)));
	return run->columns->state != InvalidAttrNumber ? set_failed(run, run->tuple) : run->tuple;
}

/*
 * The long way: for DAGs with pins, and for all where airflow_pin.unpinned_dags is "reject".
 */
static HeapTuple
enforce_pins(const NewRun *run, Oid relation, const PinList *cached, ErrorData *cache_error)
{
	PinList *pins = pins_copy(cached, CurrentMemoryContext);
	DecideCall call = {.run = run, .relation = relation, .context = CurrentMemoryContext};
	RunRequest request = {.override = OVERRIDE_NONE};
	ErrorData *error;

	if (!will_run(run, relation))
		return run->tuple;
	if (run->columns->missing != NULL)
		return refuse_unknown_table(run);
	if (is_incomplete(run))
		return run->tuple;
	read_request(run, &request);
	call.request = &request;
	call.asked_for = is_asked_for(run, request.run_type);
	if (cache_error != NULL)
		return handle_error(&call, cache_error);

	call.pin = pins_ruling(pins, GetCurrentTimestamp());
	settle_after_insert(call.pin, relation, request.dag_id, request.run_type);
	if (call.pin == NULL && airflow_pin_unpinned_dags == UNPINNED_ALLOW)
		return run->tuple;
	if (call.pin != NULL && (call.pin->run_types & request.run_type) == 0)
		return run->tuple;

	if ((error = guarded_call(decide_and_record, &call)) != NULL)
		return handle_error(&call, error);
	if (call.decision.action == RUN_LATEST || call.decision.action == RUN_MATCHES)
		return run->tuple;
	decision_log(&request, &call.decision);
	return apply_decision(run, relation, &request, &call.decision);
}

/* What is not let pass at once: the DAG is not in the cache, or has pins, or unpinned ones are refused. */
static pg_noinline HeapTuple
enforce_run_slowly(TriggerData *trigger, const DagRunColumns *known, Datum dag_id, bool isnull)
{
	Oid relation = RelationGetRelid(trigger->tg_relation);
	DagRunColumns columns = *known; /* SQL will run, and with it invalidations may be received */
	NewRun run = {.tuple = trigger->tg_trigtuple,
				  .desc = RelationGetDescr(trigger->tg_relation),
				  .columns = &columns};
	FillCall fill = {0};
	ErrorData *error = NULL;

	if (isnull)
	{
		if (columns.dag_id == InvalidAttrNumber)
			ereport(LOG, (errmsg("airflow_pin: pins are not in force: dag_run has no column "
								 "\"dag_id\" of the type that it has in Airflow 3"),
						  errhidestmt(true)));
		return run.tuple;
	}
	fill.dag_id = VARDATA_ANY(DatumGetPointer(dag_id));
	fill.length = VARSIZE_ANY_EXHDR(DatumGetPointer(dag_id));
	fill.pins = pin_cache_get(fill.dag_id, fill.length);
	if (fill.pins == PINS_UNKNOWN)
		error = guarded_call(fill_cache, &fill);
	if (fill.pins == NULL && airflow_pin_unpinned_dags == UNPINNED_ALLOW)
		return run.tuple;
	return enforce_pins(&run, relation, fill.pins, error);
}

/*
 * BEFORE INSERT OR UPDATE FOR EACH ROW on dag_run. One trigger for both, because a statement copies
 * all that its table has, fired or not (PostgreSQL's InitResultRelInfo): a second one would cost an
 * insert half as much again.
 */
Datum
airflow_pin_enforce_run(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const DagRunColumns *columns;
	bool isnull = true;
	Datum dag_id = (Datum) 0;

	if (unlikely(!is_before_insert_row(fcinfo)))
		return PointerGetDatum(hold_rerun(require_before_write_row(fcinfo, "enforce_run")));
	if (!airflow_pin_enabled)
		return PointerGetDatum(trigger->tg_trigtuple);

	columns = dag_run_columns(RelationGetRelid(trigger->tg_relation));
	if (likely(columns->dag_id != InvalidAttrNumber))
		dag_id = slot_getattr(trigger->tg_trigslot, columns->dag_id, &isnull);
	if (likely(!isnull))
	{
		if (unlikely(VARATT_IS_COMPRESSED(DatumGetPointer(dag_id)) ||
					 VARATT_IS_EXTERNAL(DatumGetPointer(dag_id))))
			dag_id = PointerGetDatum(DatumGetTextPP(dag_id));
		if (likely(pin_cache_get(VARDATA_ANY(DatumGetPointer(dag_id)),
								 VARSIZE_ANY_EXHDR(DatumGetPointer(dag_id))) == NULL &&
				   airflow_pin_unpinned_dags == UNPINNED_ALLOW))
			return PointerGetDatum(trigger->tg_trigtuple);
	}
	return PointerGetDatum(enforce_run_slowly(trigger, columns, dag_id, isnull));
}
