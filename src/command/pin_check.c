/*
 * pin_check.c
 *		Can a pin be held? Said when it is made, rather than when its first run fails.
 */
#include "pin_check.h"

#include "airflow/schema.h"
#include "attach/in_force.h"
#include "command/find_version.h"
#include "instances/plan_check.h"
#include "tasks/removed_task.h"
#include "util/guarded.h"

/*
 * Airflow's tables, for a command that changes what is in force. A pin that would not be in force
 * is refused; where it depends on an Airflow that is not known, it is made, with a warning.
 */
void
require_in_force(AirflowTables *tables)
{
	const char *obstacle;
	const char *hint;

	airflow_tables(tables, airflow_schema());
	obstacle = pins_obstacle(tables->schema, &hint);
	if (obstacle != NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no pin would be in force"), errdetail("%s", obstacle),
						hint ? errhint("%s", hint) : 0));
	obstacle = pins_doubt(tables->schema, &hint);
	if (obstacle != NULL)
		ereport(WARNING, (errmsg("whether the pin will be in force is not certain"),
						  errdetail("%s", obstacle), errhint("%s", hint)));
}

static void
raise_cannot_rewrite(const PinSpec *spec, char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("DAG \"%s\" cannot be held at version %d", spec->dag_id, spec->version->number),
			 errdetail("%s", detail), errhint("%s", hint)));
}

/*
 * Can rewritten runs of this version be right? Refuse the pin when they never can; warn when they
 * will only after Airflow itself has created a run of it.
 */
void
check_rewrite(const AirflowTables *tables, const PinSpec *spec)
{
	const char *bundle = spec->version->bundle_name ? spec->version->bundle_name : "";
	DagSource source;
	DagVersion latest;
	char *removed_task;
	ErrorData *problem;

	if (strcmp(spec->settings.on_mismatch, "rewrite") != 0)
		return;
	if (spec->commit == NULL)
		raise_cannot_rewrite(spec,
							 psprintf("Its bundle \"%s\" is not versioned: Airflow runs the files "
									  "on disk whatever the database says.",
									  bundle),
							 "Pin with on_mismatch => 'reject' as a deployment gate, or serve the "
							 "DAG from a versioned bundle such as Git.");
	if (!dag_source(tables, spec->dag_id, &source))
		raise_no_such_dag(tables, spec->dag_id);
	if (source.bundle_name == NULL || strcmp(source.bundle_name, bundle) != 0)
		raise_cannot_rewrite(spec,
							 psprintf("It is from bundle \"%s\", but the DAG is now in bundle "
									  "\"%s\", where workers would look for the commit.",
									  bundle, source.bundle_name ? source.bundle_name : ""),
							 "Pin a version of the bundle that the DAG is in now.");
	problem = plan_problem(tables, spec->dag_id, spec->version, false);
	if (problem != NULL)
		raise_cannot_rewrite(
			spec, psprintf("Its task instances cannot be computed: %s.", problem->message),
			plan_problem_hint(problem));
	require_latest(tables, spec->dag_id, &latest);
	if ((removed_task = removed_task_problem(tables, spec->version, &latest)) != NULL)
		raise_cannot_rewrite(
			spec, removed_task,
			"Pin a version of which the latest has all tasks, or upgrade Airflow.");

	problem = plan_problem(tables, spec->dag_id, spec->version, true);
	if (problem != NULL)
		ereport(WARNING,
				(errmsg("runs of DAG \"%s\" will fail until Airflow itself has created one of "
						"version %d",
						spec->dag_id, spec->version->number),
				 errdetail("%s", error_sentences(problem))));
}
