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
#include "postgres.h"

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

#include "airflow/tables.h"
#include "dag/version.h"
#include "instances/adoption.h"
#include "instances/changed_run.h"
#include "instances/configured_defaults.h"
#include "instances/earlier_runs.h"
#include "instances/plan_check.h"
#include "instances/rewritten_runs.h"
#include "instances/task_instances.h"
#include "relation/relation.h"
#include "run/decide.h"
#include "run/decision_log.h"
#include "tasks/task_plan.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* What the trigger fires for: a row of run_decision. */
typedef struct Decided
{
	char *id;
	ChangedRun run;
} Decided;

PG_FUNCTION_INFO_V1(airflow_pin_reconcile_run);

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
read_decided(TriggerData *trigger, Decided *decided)
{
	ChangedRun *run = &decided->run;

	decided->id = column_text(trigger, "id");
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

/*
 * The plans as they were made when the task instances were inserted, or else made now. What they
 * leave open is filled in, here and not in those of the adoption, which outlive this call.
 */
static void
complete_plans(const AirflowTables *tables, const ChangedRun *run, const RunFacts *facts,
			   const Adoption *adoption, RunPlans *plans)
{
	OwnerScope scope;

	if (adoption != NULL && adoption->plans.wanted != NULL)
	{
		changed_run_check(tables, run);
		plans->wanted = task_plan_copy(adoption->plans.wanted);
		plans->requested = task_plan_copy(adoption->plans.requested);
	}
	else
		changed_run_plan(tables, run, facts, CurrentMemoryContext, plans);
	owner_scope_enter_foreign(&scope, tables->task_instance);
	configured_defaults_fill(tables, run->dag_id, run->run_id, &run->effective, plans->wanted,
							 plans->requested);
	owner_scope_leave(&scope);
	/* with the same content, what cannot be computed is what Airflow has just created */
	if (!same_content(tables, run))
	{
		owner_scope_enter_foreign(&scope, tables->task_instance);
		earlier_runs_fill(tables, run->dag_id, &run->effective, plans->wanted);
		owner_scope_leave(&scope);
	}
}

/* Which columns did Airflow leave empty? NULL: the rows still show it. */
static const bool *
left_empty(const Adoption *adoption)
{
	return adoption != NULL && adoption->tasks != NULL ? adoption->left_empty : NULL;
}

static void
set_task_instances(const AirflowTables *tables, const ChangedRun *run, const RunFacts *facts)
{
	const Adoption *adoption = rewritten_run_adoption(run);
	RunPlans plans;
	OwnerScope scope;

	complete_plans(tables, run, facts, adoption, &plans);
	owner_scope_enter(&scope, tables->task_instance);
	task_instances_apply(tables, run->dag_id, run->run_id, &run->effective, &plans,
						 left_empty(adoption));
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
	RunFacts facts;

	SPI_connect();
	airflow_tables(&tables, run->airflow_schema);
	call->found = changed_run_facts(run, &facts);
	if (call->found)
		set_task_instances(&tables, run, &facts);
	SPI_finish();
}

static void
give_back_version(const AirflowTables *tables, const ChangedRun *run)
{
	QueryArgs args = {0};

	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	arg_uuid(&args, &run->requested);
	arg_uuid(&args, &run->effective);
	query_run(psprintf("UPDATE %1$s.task_instance SET dag_version_id = (SELECT v.id"
					   " FROM %1$s.dag_version v WHERE v.id = $3 FOR KEY SHARE)"
					   " WHERE dag_id = $1 AND run_id = $2 AND dag_version_id = $4",
					   tables->quoted_schema),
			  &args, false, 0);
}

/*
 * GuardedCall: make of the task instances that became the pinned version's when they were inserted
 * (adoption.c) what Airflow asked for again.
 */
static void
give_back(void *arg)
{
	const ChangedRun *run = arg;
	Adoption *adoption = rewritten_run_adoption(run);
	AirflowTables tables;
	OwnerScope scope;

	if (adoption == NULL || !adoption->active)
		return;
	adoption->active = false;
	SPI_connect();
	airflow_tables(&tables, run->airflow_schema);
	owner_scope_enter(&scope, tables.task_instance);
	if (adoption->tasks == NULL)
		give_back_version(&tables, run);
	else
	{
		RunPlans back = {.wanted = adoption->plans.requested, .requested = adoption->plans.wanted};

		task_instances_apply(&tables, run->dag_id, run->run_id, &run->requested, &back,
							 adoption->left_empty);
	}
	owner_scope_leave(&scope);
	SPI_finish();
}

/* What failing a run takes, for guarded_call(). */
typedef struct FailRun
{
	const char *decision_id;
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
	give_back((void *) run);
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
	arg_text(&args, call->decision_id);
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
	return psprintf("The task instances could not be created from the pinned version: %s"
					" The run is failed and is what Airflow asked for. %s",
					error_sentences(error), plan_problem_hint(error));
}

/*
 * AFTER INSERT FOR EACH ROW on run_decision, deferred, for runs whose version was changed.
 */
Datum
airflow_pin_reconcile_run(PG_FUNCTION_ARGS)
{
	Decided decided;
	Reconcile call = {.run = &decided.run};
	FailRun failure = {.run = &decided.run};
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

	read_decided((TriggerData *) fcinfo->context, &decided);
	failure.decision_id = decided.id;
	error = guarded_call(reconcile, &call);
	if (error != NULL)
	{
		failure.reason = failure_reason(error);
		if (guarded_call(fail_run, &failure) != NULL)
			stop_run(&decided.run);
		report_failure(&failure);
	}
	else if (!call.found)
	{
		failure.reason = "The run was not inserted, or its version was changed again in the same "
						 "transaction.";
		(void) guarded_call(give_back, &decided.run);
		report_failure(&failure);
	}
	return PointerGetDatum(NULL);
}
