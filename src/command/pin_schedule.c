/*
 * pin_schedule.c
 *		Whose schedule has a DAG under a pin that is being made?
 *
 * What somebody chose is done, or refused. What nobody chose is the pinned version's schedule, where that
 * can be held: a DAG that is pinned is pinned as a whole.
 */
#include "command/pin_schedule.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "command/find_version.h"
#include "hold/schedule_in_force.h"

static bool
holds_scheduled_runs(Datum run_types)
{
	Datum *names;
	int count;

	if (run_types == (Datum) 0)
		return true;
	deconstruct_array(DatumGetArrayTypeP(run_types), TEXTOID, -1, false, TYPALIGN_INT, &names, NULL,
					  &count);
	for (int i = 0; i < count; i++)
		if (strcmp(TextDatumGetCString(names[i]), "scheduled") == 0)
			return true;
	return false;
}

/* Why a pin with these settings holds no schedule, as a sentence; NULL: it can. */
static const char *
unfit_settings(const PinSettings *settings)
{
	if (strcmp(settings->on_mismatch, "rewrite") != 0)
		return psprintf("The pin's on_mismatch is \"%s\": it does not make runs those of the "
						"pinned version.",
						settings->on_mismatch);
	if (!holds_scheduled_runs(settings->run_types))
		return "The pin's run_types are without \"scheduled\".";
	return NULL;
}

/* Refuse schedule => 'pinned' where it cannot be. */
static void
check_pinned(const AirflowTables *tables, const PinSpec *spec)
{
	const char *why;

	if ((why = unfit_settings(&spec->settings)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pin that does not rewrite scheduled runs cannot have schedule => "
						"'pinned'"),
				 errdetail("%s", why),
				 errhint("Leave the schedule to the latest version: schedule => 'latest'.")));
	if ((why = schedule_obstacle(tables->dag)) != NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no schedule would be held"), errdetail("%s", why),
						errhint("Run: SELECT airflow_pin.attach();")));
	if ((why = schedule_problem(tables, spec->version)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the schedule of version %d of DAG \"%s\" cannot be held",
						spec->version->number, spec->dag_id),
				 errdetail("%s", why),
				 errhint("Leave the schedule to the latest version: schedule => 'latest'.")));
}

/* Say so, where the latest version's schedule is another one. */
static void
warn_of_latest(const AirflowTables *tables, const PinSpec *spec, const char *why)
{
	DagVersion latest;

	require_latest(tables, spec->dag_id, &latest);
	if (schedules_differ(tables, spec->version, &latest))
		ereport(WARNING,
				(errmsg("DAG \"%s\" keeps the schedule of its latest version %d, which is not "
						"that of version %d",
						spec->dag_id, latest.number, spec->version->number),
				 errdetail("%s", why),
				 errhint("SELECT * FROM airflow_pin.diff(%s, %d, %d); tells the difference.",
						 quote_literal_cstr(spec->dag_id), spec->version->number, latest.number)));
}

/* Why schedule => 'pinned' would be refused, as a sentence; NULL: it would not. */
static const char *
pinned_problem(const AirflowTables *tables, const PinSpec *spec)
{
	const char *why = unfit_settings(&spec->settings);

	if (why == NULL)
		why = schedule_obstacle(tables->dag);
	return why != NULL ? why : schedule_problem(tables, spec->version);
}

/*
 * Whose schedule it is: what was asked for, checked, or else the pinned version's where that can be
 * held. The version of "spec" and its other settings are set.
 */
void
choose_schedule(const AirflowTables *tables, PinSpec *spec)
{
	PinSettings *settings = &spec->settings;
	const char *why;

	if (settings->schedule != NULL)
	{
		if (strcmp(settings->schedule, "pinned") == 0)
			check_pinned(tables, spec);
		return;
	}
	why = pinned_problem(tables, spec);
	settings->schedule = why == NULL ? "pinned" : "latest";
	if (why != NULL)
		warn_of_latest(tables, spec, why);
}

/*
 * The same for rollback(): it is made in a hurry, and brings back what was. A schedule that cannot be
 * held any more does not keep it from that.
 */
void
choose_schedule_of_rollback(const AirflowTables *tables, PinSpec *spec)
{
	PinSettings *settings = &spec->settings;

	if (settings->schedule == NULL ||
		(strcmp(settings->schedule, "pinned") == 0 && pinned_problem(tables, spec) != NULL))
	{
		settings->schedule = NULL;
		settings->schedule_chosen = false;
		choose_schedule(tables, spec);
	}
}
