/*
 * drift.c
 *		How a pin and what the DAG has now have drifted apart.
 *
 * Some names tell how the pinned version and the latest differ, the others why the next run that the
 * pin holds would fail: those are decided where the run is.
 */
#include "drift.h"

#include "dag/commit.h"
#include "dag/serialized_dag.h"
#include "dag/tasks_differ.h"
#include "run/next_run.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"

/* Add a name, once. */
void
drift_add(Drift *drift, bool condition, const char *name)
{
	for (int i = 0; i < drift->count; i++)
		if (strcmp(drift->names[i], name) == 0)
			return;
	if (condition)
		drift->names[drift->count++] = name;
}

/* What the comparison of a pin takes and finds, for guarded_call(). */
typedef struct Comparison
{
	const AirflowTables *tables;
	const char *dag_id;
	const Pin *pin;
	const DagVersion *pinned;
	const DagVersion *latest;
	bool unversioned;
	bool tasks_differ;
	bool schedule_differs;
	Decision decision;
} Comparison;

/* GuardedCall */
static void
find_commit(void *arg)
{
	Comparison *comparison = arg;

	comparison->unversioned =
		new_run_commit(comparison->tables, comparison->dag_id, comparison->latest) == NULL;
}

/* Two values of a serialized DAG; NULL where there is none. */
static bool
json_differs(JsonbContainer *a, JsonbContainer *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	return compareJsonbContainers(a, b) != 0;
}

/* GuardedCall */
static void
compare_content(void *arg)
{
	Comparison *comparison = arg;
	Jsonb *a = serialized_dag_load(comparison->tables, &comparison->pinned->id);
	Jsonb *b = serialized_dag_load(comparison->tables, &comparison->latest->id);

	if (a == NULL || b == NULL)
		return;
	comparison->tasks_differ = tasks_differ(a, b);
	comparison->schedule_differs = json_differs(json_child(serialized_dag_body(a), "timetable"),
												json_child(serialized_dag_body(b), "timetable"));
}

/* A type of run that the pin holds. */
static RunType
held_run_type(const Pin *pin)
{
	for (int type = RUN_SCHEDULED; type < RUN_UNKNOWN; type <<= 1)
		if ((pin->run_types & type) != 0)
			return type;
	return RUN_UNKNOWN;
}

/* GuardedCall: the next run that the pin holds. */
static void
decide(void *arg)
{
	Comparison *comparison = arg;
	RunRequest request = {.dag_id = comparison->dag_id,
						  .run_type_name = "next",
						  .run_type = held_run_type(comparison->pin),
						  .version = &comparison->latest->id};

	request.commit = new_run_commit(comparison->tables, comparison->dag_id, comparison->latest);
	decide_next_run(comparison->tables, &request, comparison->pin, &comparison->decision);
}

static bool
texts_differ(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* Why the next run would fail, by name. What cannot be decided about is born failed, too. */
static void
add_failure(Comparison *comparison, Drift *drift)
{
	if (guarded_call(decide, comparison) != NULL)
		drift_add(drift, true, FAILURE_NOT_COMPUTABLE);
	else if (comparison->decision.action == RUN_FAILED && comparison->decision.failure != NULL)
		drift_add(drift, true, comparison->decision.failure);
}

/*
 * Find the drift of a pin of the DAG, whose latest version is "latest". Call it connected to SPI.
 */
void
drift_find(const AirflowTables *tables, const char *dag_id, const Pin *pin,
		   const DagVersion *latest, Drift *drift)
{
	DagVersion pinned;
	Comparison comparison = {
		.tables = tables, .dag_id = dag_id, .pin = pin, .pinned = &pinned, .latest = latest};
	bool is_changed;

	if (!version_by_id(tables, &pin->dag_version_id, &pinned))
	{
		drift_add(drift, true, FAILURE_MISSING);
		return;
	}
	drift_add(drift, latest->number > pinned.number, "newer_version");
	/* content that cannot be read tells nothing about itself, and must not hide the other pins */
	if (texts_differ(pinned.dag_hash, latest->dag_hash) &&
		guarded_call(compare_content, &comparison) == NULL)
	{
		drift_add(drift, comparison.tasks_differ, "tasks_differ");
		drift_add(drift, comparison.schedule_differs, "schedule_differs");
	}
	is_changed = pinned_content_changed(tables, &pin->content, &pinned);
	drift_add(drift, is_changed || texts_differ(pin->source_code_hash, latest->source_code_hash),
			  "content_changed");
	if (guarded_call(find_commit, &comparison) == NULL)
		drift_add(drift, comparison.unversioned, "bundle_unversioned");
	/* under reject such a pin refuses every run, which is decided as a mismatch */
	drift_add(drift, is_changed && pin->on_mismatch != ON_MISMATCH_OBSERVE, FAILURE_CHANGED);
	add_failure(&comparison, drift);
}
