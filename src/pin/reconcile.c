/*
 * reconcile.c
 *		At commit: the task instances of a changed run become the pinned version's.
 *
 * Airflow inserts a run's task instances from the latest serialized DAG that it holds in memory,
 * whatever version the run has. A deferred trigger on run_decision runs when all of that is done
 * and nobody else has seen it, and makes them what Airflow would have made of the other version:
 * rows that are not in it go, missing ones come, and in the others the columns that follow from
 * the DAG are set.
 *
 * Where the two versions agree on a column, the row keeps what it has: that is Airflow's own value
 * or one that a task_instance_mutation_hook put there.
 *
 * Nothing is raised into the transaction that creates the run, which may be a scheduler's: when
 * the task instances cannot be told for certain, the run goes back to the version that Airflow
 * asked for, as a failed run, so that version, commit and task instances belong together in it.
 */
#include "airflow_pin.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "airflow/catalog.h"
#include "airflow/serialized_dag.h"
#include "airflow/task_plan.h"
#include "airflow/version.h"
#include "pin/adopt_version.h"
#include "pin/configured_defaults.h"
#include "pin/decision_log.h"
#include "pin/earlier_runs.h"
#include "pin/task_instances.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* The row that was inserted, and not an older one that ON CONFLICT led to. */
#define SAME_ROW(id) " AND (" id "::text IS NULL OR id::text = " id ")"

/* The row of run_decision that the trigger fires for. */
typedef struct ChangedRun
{
	char *id;
	char *dag_run_id; /* NULL: unknown */
	char *dag_id;
	char *run_id;
	char *airflow_schema;
	pg_uuid_t requested;
	bool has_requested;
	char *requested_commit;
	pg_uuid_t effective;
	char *effective_hash;
} ChangedRun;

PG_FUNCTION_INFO_V1(reconcile_run);

static void
check_trigger_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"reconcile_run\" must be fired AFTER INSERT FOR EACH "
							   "ROW")));
	/* rows of any other table could name runs of others */
	if (RelationGetRelid(trigger->tg_relation) != pin_relation("run_decision"))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"reconcile_run\" must be fired by run_decision")));
}

static char *
column_text(TriggerData *trigger, const char *column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	int number = SPI_fnumber(desc, column);

	if (number <= 0)
		elog(ERROR, "run_decision has no column \"%s\"", column);
	return SPI_getvalue(trigger->tg_trigtuple, desc, number);
}

static bool
column_uuid(TriggerData *trigger, const char *column, pg_uuid_t *uuid)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	bool isnull;
	Datum value = SPI_getbinval(trigger->tg_trigtuple, desc, SPI_fnumber(desc, column), &isnull);

	if (!isnull)
		*uuid = *DatumGetUUIDP(value);
	return !isnull;
}

static void
read_changed_run(TriggerData *trigger, ChangedRun *run)
{
	run->id = column_text(trigger, "id");
	run->dag_run_id = column_text(trigger, "dag_run_id");
	run->dag_id = column_text(trigger, "dag_id");
	run->run_id = column_text(trigger, "run_id");
	run->airflow_schema = column_text(trigger, "airflow_schema");
	run->requested_commit = column_text(trigger, "requested_bundle_version");
	run->effective_hash = column_text(trigger, "effective_dag_hash");
	run->has_requested = column_uuid(trigger, "requested_dag_version_id", &run->requested);
	if (!column_uuid(trigger, "effective_dag_version_id", &run->effective))
		elog(ERROR, "run_decision has no effective_dag_version_id");
}

/*
 * What the plan needs to know of the run itself. False: it is not the run that was decided about.
 * The trigger decides before the row is in the table, and it may never get there (ON CONFLICT DO
 * NOTHING, another trigger); an older run of that run_id must be left alone.
 */
static bool
read_run_facts(const ChangedRun *run, RunFacts *facts)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	bool isnull;
	Datum inserted_by;

	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	arg_uuid(&args, &run->effective);
	arg_text(&args, run->dag_run_id);
	query_run_kept(&plan,
				   psprintf("SELECT xmin, run_type, logical_date FROM %s.dag_run WHERE dag_id = $1"
							" AND run_id = $2 AND created_dag_version_id = $3" SAME_ROW("$4"),
							quote_identifier(run->airflow_schema)),
				   &args, 1);
	if (SPI_processed == 0)
		return false;
	inserted_by = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	facts->is_backfill = strcmp(row_required_text(0, 2), "backfill") == 0;
	facts->has_logical_date = !row_is_null(0, 3);
	facts->logical_date = row_timestamp(0, 3);
	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(inserted_by));
}

static TaskPlan *
plan_effective(const AirflowTables *tables, const ChangedRun *run, const RunFacts *facts)
{
	char *hash = NULL;
	Jsonb *data = serialized_dag_load(tables, &run->effective, &hash);

	if (data == NULL)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("the serialized DAG of the pinned version no longer exists")));
	if (run->effective_hash != NULL && strcmp(hash, run->effective_hash) != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the pinned version was changed while the run was created")));
	return task_plan_build(data, facts);
}

/* What planning the requested version takes, for guarded_call(). */
typedef struct PlanRequested
{
	const AirflowTables *tables;
	const ChangedRun *run;
	const RunFacts *facts;
	MemoryContext context;
	TaskPlan *plan;
} PlanRequested;

static void
plan_requested(void *arg)
{
	PlanRequested *call = arg;
	MemoryContext saved = MemoryContextSwitchTo(call->context);
	Jsonb *data = serialized_dag_load(call->tables, &call->run->requested, NULL);

	if (data != NULL)
		call->plan = task_plan_build(data, call->facts);
	MemoryContextSwitchTo(saved);
}

/*
 * The plan of the version that Airflow asked for, or NULL when it cannot be told: then no value
 * can be recognized as a mutation hook's, and all are set.
 */
static TaskPlan *
plan_of_requested(const AirflowTables *tables, const ChangedRun *run, const RunFacts *facts)
{
	PlanRequested call = {.tables = tables, .run = run, .facts = facts};

	call.context = CurrentMemoryContext;
	if (!run->has_requested || guarded_call(plan_requested, &call) != NULL)
		return NULL;
	return call.plan;
}

/* Have the two versions the same content, as after a commit that changes only function bodies? */
static bool
same_content(const AirflowTables *tables, const ChangedRun *run)
{
	DagVersion requested;
	DagVersion effective;

	return run->has_requested && version_by_id(tables, &run->requested, &requested) &&
		   version_by_id(tables, &run->effective, &effective) && requested.dag_hash != NULL &&
		   effective.dag_hash != NULL && run->effective_hash != NULL &&
		   strcmp(requested.dag_hash, effective.dag_hash) == 0 &&
		   strcmp(run->effective_hash, effective.dag_hash) == 0;
}

static void
set_task_instances(const AirflowTables *tables, const ChangedRun *run, const RunFacts *facts)
{
	TaskPlan *wanted = plan_effective(tables, run, facts);
	TaskPlan *requested = plan_of_requested(tables, run, facts);
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, tables->task_instance);
	configured_defaults_fill(tables, run->dag_id, run->run_id, &run->effective, wanted, requested);
	owner_scope_leave(&scope);
	/* with the same content, what cannot be computed is what Airflow has just created */
	if (!same_content(tables, run))
	{
		owner_scope_enter_foreign(&scope, tables->task_instance);
		earlier_runs_fill(tables, run->dag_id, &run->effective, wanted);
		owner_scope_leave(&scope);
	}
	owner_scope_enter(&scope, tables->task_instance);
	task_instances_apply(tables, run->dag_id, run->run_id, &run->effective, wanted, requested);
	owner_scope_leave(&scope);
}

/* What reconciling takes and finds, for guarded_call(). */
typedef struct Reconcile
{
	const ChangedRun *run;
	bool found; /* false: there is no such run to reconcile */
} Reconcile;

/*
 * GuardedCall: make the task instances right, or raise the reason why they cannot be. Reading is a
 * restricted operation, writing is not: a deferred trigger that somebody has on task_instance must
 * be able to fire, as it would for Airflow's own statements.
 */
static void
reconcile(void *arg)
{
	Reconcile *call = arg;
	const ChangedRun *run = call->run;
	AirflowTables tables;
	OwnerScope scope;
	RunFacts facts;

	SPI_connect();
	airflow_tables(&tables, run->airflow_schema);
	owner_scope_enter_foreign(&scope, tables.dag_run);
	call->found = read_run_facts(run, &facts);
	owner_scope_leave(&scope);
	if (call->found)
		set_task_instances(&tables, run, &facts);
	SPI_finish();
}

/*
 * GuardedCall: give the task instances that got the pinned version when they were inserted
 * (adopt_version.c) the one that Airflow asked for again.
 */
static void
give_back_version(void *arg)
{
	const ChangedRun *run = arg;
	QueryArgs args = {0};
	AirflowTables tables;
	OwnerScope scope;

	if (!run->has_requested || !version_was_adopted(run->dag_id, run->run_id, &run->effective))
		return;
	SPI_connect();
	airflow_tables(&tables, run->airflow_schema);
	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	arg_uuid(&args, &run->requested);
	arg_uuid(&args, &run->effective);
	owner_scope_enter(&scope, tables.task_instance);
	query_run(psprintf("UPDATE %1$s.task_instance SET dag_version_id = (SELECT v.id"
					   " FROM %1$s.dag_version v WHERE v.id = $3 FOR KEY SHARE)"
					   " WHERE dag_id = $1 AND run_id = $2 AND dag_version_id = $4",
					   tables.quoted_schema),
			  &args, false, 0);
	owner_scope_leave(&scope);
	SPI_finish();
}

/* What failing a run takes, for guarded_call(). */
typedef struct FailRun
{
	const ChangedRun *run;
	const char *reason;
} FailRun;

/*
 * GuardedCall: turn the run into a failed one of the version that Airflow asked for, as far as that
 * still exists, where there is such a run.
 */
static void
fail_run(void *arg)
{
	const ChangedRun *run = ((FailRun *) arg)->run;
	QueryArgs args = {0};
	AirflowTables tables;
	OwnerScope scope;

	SPI_connect();
	airflow_tables(&tables, run->airflow_schema);
	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	arg_uuid(&args, run->has_requested ? &run->requested : NULL);
	arg_text(&args, run->requested_commit);
	arg_uuid(&args, &run->effective);
	arg_text(&args, run->dag_run_id);
	owner_scope_enter(&scope, tables.dag_run);
	query_run(psprintf("UPDATE %1$s.dag_run SET state = 'failed', end_date = clock_timestamp(),"
					   " start_date = coalesce(start_date, clock_timestamp()),"
					   " created_dag_version_id = (SELECT v.id FROM %1$s.dag_version v"
					   " WHERE v.id = $3 FOR KEY SHARE), bundle_version = $4"
					   " WHERE dag_id = $1 AND run_id = $2 AND created_dag_version_id = $5"
					   " AND state IN ('queued', 'running', 'failed')" SAME_ROW("$6"),
					   tables.quoted_schema),
			  &args, false, 0);
	owner_scope_leave(&scope);
	SPI_finish();
	give_back_version((void *) run);
}

/*
 * The last resort: nothing of the run may start. What fails here is raised, because then the run
 * would do the wrong work.
 */
static void
stop_run(const ChangedRun *run)
{
	Oid dag_run = airflow_dag_run(run->airflow_schema);
	QueryArgs args = {0};
	OwnerScope scope;

	SPI_connect();
	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	arg_uuid(&args, &run->effective);
	arg_text(&args, run->dag_run_id);
	owner_scope_enter(&scope, dag_run);
	query_run(psprintf("UPDATE %s.dag_run SET state = 'failed' WHERE dag_id = $1 AND run_id = $2"
					   " AND created_dag_version_id = $3" SAME_ROW("$4"),
					   quote_identifier(run->airflow_schema)),
			  &args, false, 0);
	owner_scope_leave(&scope);
	SPI_finish();
}

/* GuardedCall: let run_decision tell that the run is not what was decided. */
static void
amend_decision(void *arg)
{
	const FailRun *call = arg;
	QueryArgs args = {0};
	OwnerScope scope;

	SPI_connect();
	arg_text(&args, call->run->id);
	arg_text(&args, call->reason);
	owner_scope_enter(&scope, pin_relation("run_decision"));
	query_run("UPDATE airflow_pin.run_decision SET action = 'failed', effective_version = NULL,"
			  " effective_bundle_version = NULL, effective_dag_version_id = NULL,"
			  " effective_dag_hash = NULL, detail = $2 WHERE id = $1::bigint",
			  &args, false, 0);
	owner_scope_leave(&scope);
	SPI_finish();
}

/* Tell run_decision, and in any case the server log, why the run is not what was decided. */
static void
report_failure(FailRun *call)
{
	RunRequest request = {.dag_id = call->run->dag_id, .run_id = call->run->run_id};
	Decision decision = {.action = RUN_FAILED, .detail = pstrdup(call->reason)};

	(void) guarded_call(amend_decision, call);
	decision_log(&request, &decision);
}

static char *
failure_reason(const ErrorData *error)
{
	return psprintf("The task instances could not be created from the pinned version: %s.%s%s"
					" The run is failed and is what Airflow asked for. Pin another version, or pin"
					" with on_mismatch => 'reject'.",
					error->message, error->detail ? " " : "", error->detail ? error->detail : "");
}

/*
 * AFTER INSERT FOR EACH ROW on run_decision, deferred, for runs whose version was changed.
 */
Datum
reconcile_run(PG_FUNCTION_ARGS)
{
	ChangedRun run;
	Reconcile call = {.run = &run};
	FailRun failure = {.run = &run};
	ErrorData *error;

	check_trigger_call(fcinfo);
	if (!decisions_are_ours())
		return PointerGetDatum(NULL);
	if (decision_is_being_recorded())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the version of a run cannot be changed while constraints are "
						"immediate"),
				 errdetail("Its task instances can only be set when the transaction "
						   "commits."),
				 errhint("Do not use SET CONSTRAINTS ALL IMMEDIATE before inserting runs.")));

	read_changed_run((TriggerData *) fcinfo->context, &run);
	error = guarded_call(reconcile, &call);
	if (error != NULL)
	{
		failure.reason = failure_reason(error);
		if (guarded_call(fail_run, &failure) != NULL)
			stop_run(&run);
		report_failure(&failure);
	}
	else if (!call.found)
	{
		failure.reason = "The run was not inserted, or its version was changed again in the same "
						 "transaction.";
		(void) guarded_call(give_back_version, &run);
		report_failure(&failure);
	}
	return PointerGetDatum(NULL);
}
