/*
 * changed_run.c
 *		A run whose version was changed, and the plans of its two versions.
 *
 * To be called connected to SPI.
 */
#include "changed_run.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "dag/serialized_dag.h"
#include "dag/version.h"
#include "util/copy_text.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* A copy that needs nothing of the original. */
ChangedRun *
changed_run_copy(const ChangedRun *run, MemoryContext context)
{
	MemoryContext saved = MemoryContextSwitchTo(context);
	ChangedRun *copy = palloc(sizeof(ChangedRun));

	*copy = *run;
	copy->dag_run_id = copy_text(run->dag_run_id);
	copy->dag_id = copy_text(run->dag_id);
	copy->run_id = copy_text(run->run_id);
	copy->airflow_schema = copy_text(run->airflow_schema);
	copy->requested_commit = copy_text(run->requested_commit);
	copy->effective_hash = copy_text(run->effective_hash);
	MemoryContextSwitchTo(saved);
	return copy;
}

/*
 * What the plan needs to know of the run itself, read as the owner of dag_run. False: it is not the
 * run that was decided about. The trigger decides before the row is in the table, and it may never
 * get there (ON CONFLICT DO NOTHING, another trigger); an older run of that run_id must be left
 * alone.
 */
bool
changed_run_facts(const ChangedRun *run, RunFacts *facts)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	OwnerScope scope;
	TransactionId inserted_by;

	arg_text(&args, run->dag_id);
	arg_text(&args, run->run_id);
	arg_uuid(&args, &run->effective);
	arg_text(&args, run->dag_run_id);
	owner_scope_enter_foreign(&scope, airflow_dag_run(run->airflow_schema));
	query_run_kept(&plan,
				   psprintf("SELECT xmin, run_type, logical_date FROM %s.dag_run WHERE dag_id = $1"
							" AND run_id = $2 AND created_dag_version_id = $3" SAME_ROW("$4"),
							quote_identifier(run->airflow_schema)),
				   &args, 1);
	owner_scope_leave(&scope);
	if (SPI_processed == 0)
		return false;
	inserted_by = row_xid(0, 1);
	facts->is_backfill = strcmp(row_required_text(0, 2), "backfill") == 0;
	facts->has_logical_date = !row_is_null(0, 3);
	facts->logical_date = row_timestamp(0, 3);
	return TransactionIdIsCurrentTransactionId(inserted_by);
}

/* What computing the plans takes, also for guarded_call(). */
typedef struct PlanCall
{
	const AirflowTables *tables;
	const ChangedRun *run;
	const RunFacts *facts;
	MemoryContext context;
	RunPlans *plans;
} PlanCall;

/* The plan and nothing but the plan in the memory context that was asked for. */
static TaskPlan *
build(const PlanCall *call, Jsonb *data)
{
	MemoryContext work =
		AllocSetContextCreate(CurrentMemoryContext, "airflow_pin planning", ALLOCSET_DEFAULT_SIZES);
	MemoryContext saved = MemoryContextSwitchTo(work);
	TaskPlan *plan = task_plan_build(data, call->facts);

	MemoryContextSwitchTo(call->context);
	plan = task_plan_copy(plan);
	MemoryContextSwitchTo(saved);
	MemoryContextDelete(work);
	return plan;
}

/* Raise an error unless that is the hash of what was pinned; NULL stands for no content at all. */
static void
check_hash(const ChangedRun *run, const char *hash)
{
	if (hash == NULL)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("the serialized DAG of the pinned version no longer exists"),
						errhint("Pin a version that has one, or unpin the DAG.")));
	if (run->effective_hash != NULL && strcmp(hash, run->effective_hash) != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the pinned version was changed while the run was created"),
						errhint("Pin the DAG again, or another version.")));
}

/* Raise an error unless the version that the run has is still what was pinned. */
void
changed_run_check(const AirflowTables *tables, const ChangedRun *run)
{
	DagVersion version;
	bool found = version_by_id(tables, &run->effective, &version);

	check_hash(run, found ? version.dag_hash : NULL);
}

static void
plan_effective(const PlanCall *call)
{
	char *hash = NULL;
	Jsonb *data = serialized_dag_outline(call->tables, &call->run->effective, &hash);

	check_hash(call->run, hash);
	call->plans->wanted = build(call, data);
}

/* GuardedCall: plan the version that Airflow asked for. */
static void
plan_requested(void *arg)
{
	PlanCall *call = arg;
	Jsonb *data = serialized_dag_outline(call->tables, &call->run->requested, NULL);

	if (data != NULL)
		call->plans->requested = build(call, data);
}

/*
 * Compute both plans, in that memory context. Raises an error when the one of the version that the
 * run has cannot be computed. Where the other one cannot, no value can be recognized as a mutation
 * hook's, and all are set.
 */
void
changed_run_plan(const AirflowTables *tables, const ChangedRun *run, const RunFacts *facts,
				 MemoryContext context, RunPlans *plans)
{
	PlanCall call = {
		.tables = tables, .run = run, .facts = facts, .context = context, .plans = plans};

	*plans = (RunPlans){0};
	plan_effective(&call);
	if (run->has_requested && guarded_call(plan_requested, &call) != NULL)
		plans->requested = NULL;
}
