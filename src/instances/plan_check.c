/*
 * plan_check.c
 *		Can runs be rewritten to a version: are its task instances to be computed?
 */
#include "plan_check.h"

#include "dag/serialized_dag.h"
#include "tasks/task_plan.h"
#include "instances/earlier_runs.h"
#include "util/guarded.h"
#include "util/owner_scope.h"

typedef struct PlanCheck
{
	const AirflowTables *tables;
	const char *dag_id;
	const DagVersion *version;
	bool with_earlier_runs;
} PlanCheck;

/* GuardedCall: plan a run of the version. */
static void
plan_version(void *arg)
{
	const PlanCheck *check = arg;
	RunFacts any_run = {0};
	Jsonb *data = serialized_dag_outline(check->tables, &check->version->id, NULL);
	OwnerScope scope;
	TaskPlan *plan;

	if (data == NULL)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("the version has no serialized DAG any more")));
	plan = task_plan_build(data, &any_run);
	if (!check->with_earlier_runs)
		return;
	owner_scope_enter_foreign(&scope, check->tables->task_instance);
	earlier_runs_fill(check->tables, check->dag_id, &check->version->id, plan);
	owner_scope_leave(&scope);
}

/*
 * What keeps the version's task instances from being computed, or NULL. With "with_earlier_runs"
 * also whether earlier runs tell what cannot be computed, such as custom priority weights. Call it
 * connected to SPI.
 */
ErrorData *
plan_problem(const AirflowTables *tables, const char *dag_id, const DagVersion *version,
			 bool with_earlier_runs)
{
	PlanCheck check = {.tables = tables,
					   .dag_id = dag_id,
					   .version = version,
					   .with_earlier_runs = with_earlier_runs};

	return guarded_call(plan_version, &check);
}

/* What to do about it. */
char *
plan_problem_hint(const ErrorData *problem)
{
	return problem->hint ? problem->hint
						 : "Pin with on_mismatch => 'reject', or pin another version.";
}
