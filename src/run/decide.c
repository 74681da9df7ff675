/*
 * decide.c
 *		What becomes of a run that is about to be created.
 *
 * One set of rules for the trigger, which carries the answer out, and for resolve(), which only
 * tells it.
 */
#include "decide.h"

#include "utils/builtins.h"

#include "dag/commit.h"
#include "settings.h"
#include "tasks/removed_task.h"
#include "util/same_text.h"

static const char *const action_names[] = {
	[RUN_LATEST] = "latest", [RUN_MATCHES] = "matches", [RUN_REWRITE] = "rewrite",
	[RUN_REJECT] = "reject", [RUN_OBSERVE] = "observe", [RUN_OVERRIDE] = "override",
	[RUN_FAILED] = "failed",
};

const char *
run_action_name(RunAction action)
{
	return action_names[action];
}

/*
 * Why the run becomes what it becomes, and for one that does not happen what to do about it.
 */
char *
decision_explanation(const Decision *decision)
{
	if (decision->hint == NULL ||
		(decision->action != RUN_REJECT && decision->action != RUN_FAILED))
		return pstrdup(decision->detail);
	return psprintf("%s %s", decision->detail, decision->hint);
}

static bool
same_version(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return a != NULL && memcmp(a, b, sizeof(*a)) == 0;
}

/* "version 3 at commit abc", for messages. */
static char *
describe(const DagVersion *version, const char *commit)
{
	return commit ? psprintf("version %d at commit %s", version->number, commit)
				  : psprintf("version %d", version->number);
}

/* The run cannot be done right. "failure" is a name of decide.h. */
void
decision_fail(Decision *decision, const char *failure, char *detail, char *hint)
{
	decision->action = RUN_FAILED;
	decision->failure = failure;
	decision->has_effective = false;
	decision->detail = detail;
	decision->hint = hint;
}

/* The pinned version is not to be seen: it is gone, or too new for the transaction. */
static void
fail_missing(const AirflowTables *tables, const Pin *pin, Decision *decision)
{
	if (version_is_newer_than_snapshot(tables, &pin->dag_version_id))
		decision_fail(
			decision, NULL,
			psprintf("The pinned version %d is newer than the snapshot of this transaction, whose "
					 "isolation level is not READ COMMITTED.",
					 pin->version_number),
			"Create the run again in a new transaction. Airflow is made for READ COMMITTED.");
	else
		decision_fail(decision, FAILURE_MISSING,
					  psprintf("The pinned version %d no longer exists.", pin->version_number),
					  "Pin a version that exists, or unpin the DAG.");
}

/*
 * The version and commit that the run shall have: the pin's, or the one that the run itself asks
 * for where the pin allows that. False: it is not to be had, and "decision" says so.
 */
static bool
find_target(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
			Decision *decision)
{
	VersionCommit target;

	if (!pin->allow_override || request->override == OVERRIDE_NONE)
	{
		decision->has_effective = version_by_id(tables, &pin->dag_version_id, &decision->effective);
		decision->effective_commit = pin->bundle_version;
		if (!decision->has_effective)
			fail_missing(tables, pin, decision);
		return decision->has_effective;
	}

	if (request->override == OVERRIDE_INVALID)
	{
		decision_fail(decision, NULL,
					  "The run's conf key airflow_pin_version is neither a version number nor "
					  "\"latest\".",
					  "Give the number of an existing version, or \"latest\".");
		return false;
	}
	if (!latest_commit(tables, request->dag_id, &target))
	{
		decision_fail(decision, NULL, "The run's conf asks for a version, but the DAG has none.",
					  "Wait until the DAG processor has parsed it.");
		return false;
	}
	if (request->override == OVERRIDE_NUMBER &&
		!numbered_commit(tables, request->dag_id, request->override_number, &target))
	{
		decision_fail(decision, NULL,
					  psprintf("The run's conf asks for version %d, which does not exist.",
							   request->override_number),
					  psprintf("Existing versions: %s.", version_numbers(tables, request->dag_id)));
		return false;
	}
	decision->effective = target.version;
	decision->effective_commit = target.commit;
	decision->has_effective = true;
	return true;
}

/*
 * Without a commit only the source code tells whether the same version is still the same code.
 */
static bool
source_changed(const Pin *pin, const DagVersion *current)
{
	return pin->bundle_version == NULL && pin->source_code_hash != NULL &&
		   current->source_code_hash != NULL &&
		   strcmp(pin->source_code_hash, current->source_code_hash) != 0;
}

/*
 * Where the commit is from. Airflow can move a version, with its DAG, to another bundle; the pinned
 * commit stays where it is.
 */
static const char *
bundle_of_commit(const Pin *pin, bool is_override, const DagVersion *target)
{
	if (is_override || pin->bundle_name == NULL || target->bundle_name == NULL)
		return target->bundle_name;
	return pin->bundle_name;
}

/*
 * What would make a rewritten run do wrong work. False: "decision" says why it cannot be done.
 */
static bool
can_rewrite(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
			bool is_override, Decision *decision)
{
	DagVersion *target = &decision->effective;
	const char *bundle = bundle_of_commit(pin, is_override, target);
	DagSource source;

	if (decision->effective_commit == NULL)
	{
		decision_fail(
			decision, FAILURE_NOT_COMPUTABLE,
			"The pinned version has no commit: Airflow runs the files on disk whatever the "
			"database says.",
			"Pin with on_mismatch => 'reject', or serve the DAG from a versioned bundle.");
		return false;
	}
	if (target->dag_hash == NULL)
	{
		decision_fail(
			decision, FAILURE_MISSING,
			psprintf("The serialized DAG of version %d no longer exists.", target->number),
			"Pin a version that is complete, or unpin the DAG.");
		return false;
	}
	if (!is_override && pinned_content_changed(tables, &pin->content, target))
	{
		decision_fail(
			decision, FAILURE_CHANGED,
			psprintf("Version %d was changed in place since it was pinned.", target->number),
			"Pin the DAG again to accept the content that the version has now.");
		return false;
	}
	if (!dag_source(tables, request->dag_id, &source) || source.bundle_name == NULL ||
		bundle == NULL || strcmp(source.bundle_name, bundle) != 0)
	{
		decision_fail(
			decision, FAILURE_MOVED,
			psprintf("Version %d is from bundle \"%s\", but the DAG is now in bundle \"%s\", where "
					 "workers would look for the commit.",
					 target->number, bundle ? bundle : "",
					 source.bundle_name ? source.bundle_name : ""),
			"Pin a version of the bundle that the DAG is in now.");
		return false;
	}
	if (decision->has_requested)
	{
		char *problem = removed_task_problem(tables, target, &decision->requested);

		if (problem != NULL)
			decision_fail(decision, FAILURE_NOT_COMPUTABLE, problem,
						  "Pin a version of which the latest has all tasks.");
		return problem == NULL;
	}
	return true;
}

/* Let the run be what it is, and only tell about it. */
static void
observe(const RunRequest *request, Decision *decision)
{
	decision->action = RUN_OBSERVE;
	decision->rewritten = false;
	decision->effective = decision->requested;
	decision->effective_commit = request->commit;
	decision->has_effective = decision->has_requested;
}

static void
decide_unpinned(Decision *decision)
{
	decision->action = airflow_pin_unpinned_dags == UNPINNED_REJECT ? RUN_REJECT : RUN_LATEST;
	if (decision->action == RUN_LATEST)
		decision->detail = "No pin rules: new runs get the latest version.";
	else
	{
		decision->detail = "The DAG has no pin, and airflow_pin.unpinned_dags is \"reject\".";
		decision->hint = "Pin the DAG: SELECT airflow_pin.pin('<dag_id>');";
	}
}

static void
decide_mismatch(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
				bool is_override, Decision *decision)
{
	char *wanted = describe(&decision->effective, decision->effective_commit);
	char *requested = decision->has_requested ? describe(&decision->requested, request->commit)
											  : pstrdup("no version");
	const char *ignored = !pin->allow_override && request->override != OVERRIDE_NONE
							  ? " The run's airflow_pin_version is ignored: the pin does not allow "
								"overrides."
							  : "";

	decision->rewritten = true;
	if (is_override)
	{
		decision->action = RUN_OVERRIDE;
		decision->detail = psprintf("The run asked for %s in its conf.", wanted);
	}
	else
	{
		decision->action = pin->on_mismatch == ON_MISMATCH_REWRITE	? RUN_REWRITE
						   : pin->on_mismatch == ON_MISMATCH_REJECT ? RUN_REJECT
																	: RUN_OBSERVE;
		decision->detail = psprintf(
			"The DAG is pinned to %s, but the run is for %s%s.%s", wanted, requested,
			source_changed(pin, &decision->effective) ? " with other source code" : "", ignored);
		decision->hint = psprintf("Move the pin to release another version: "
								  "SELECT airflow_pin.pin(%s, <version>);",
								  quote_literal_cstr(request->dag_id));
	}

	if (decision->action == RUN_OBSERVE)
		observe(request, decision);
	else if (decision->action != RUN_REJECT)
		(void) can_rewrite(tables, request, pin, is_override, decision);
}

/*
 * Decide. "pin" is the pin that rules the DAG now, or NULL. Call it connected to SPI; the answer
 * lives until SPI_finish(). Raises only what reading Airflow's tables can raise.
 */
void
decide_run(const AirflowTables *tables, const RunRequest *request, const Pin *pin,
		   Decision *decision)
{
	bool is_override;

	memset(decision, 0, sizeof(*decision));
	if (request->version != NULL)
		decision->has_requested = version_by_id(tables, request->version, &decision->requested);

	decision->effective = decision->requested;
	decision->effective_commit = request->commit;
	decision->has_effective = decision->has_requested;
	if (pin == NULL)
	{
		decide_unpinned(decision);
		return;
	}
	if ((pin->run_types & request->run_type) == 0)
	{
		decision->action = RUN_LATEST;
		decision->detail = psprintf("The pin does not hold %s runs.", request->run_type_name);
		return;
	}

	if (!find_target(tables, request, pin, decision))
	{
		if (pin->on_mismatch == ON_MISMATCH_OBSERVE)
			observe(request, decision);
		return;
	}
	is_override = pin->allow_override && request->override != OVERRIDE_NONE;
	if (same_version(request->version, &decision->effective.id) &&
		same_text(request->commit, decision->effective_commit) &&
		(is_override || (!source_changed(pin, &decision->effective) &&
						 !pinned_content_changed(tables, &pin->content, &decision->effective))))
	{
		decision->action = is_override ? RUN_OVERRIDE : RUN_MATCHES;
		decision->detail =
			psprintf(is_override ? "The run asked for %s in its conf." : "The DAG is pinned to %s.",
					 describe(&decision->effective, decision->effective_commit));
		return;
	}
	decide_mismatch(tables, request, pin, is_override, decision);
}
