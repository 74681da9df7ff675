/*
 * schedule_in_force.c
 *		Can the schedule of a version be held, and is it?
 */
#include "hold/schedule_in_force.h"

#include "airflow/attached_triggers.h"
#include "attach/own_triggers.h"
#include "dag/serialized_dag.h"
#include "hold/version_schedule.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"
#include "util/query.h"

/*
 * Why no schedule can be held now, as a sentence, or NULL: the extension was updated, or installed, but its
 * triggers are not all there.
 */
const char *
schedule_obstacle(Oid dag)
{
	const AttachedTrigger *trigger = attached_trigger("hold_schedule");
	char *name;

	if (!attached_trigger_exists(trigger))
		return "The extension's SQL objects are those of release 1.0.";
	switch (airflow_find_trigger(dag, trigger, &name))
	{
		case ATTACH_MISSING:
			return "Table dag has no trigger hold_schedule of airflow_pin.";
		case ATTACH_DISABLED:
			return "The trigger hold_schedule of airflow_pin on dag is disabled, or was changed.";
		case ATTACH_PRESENT:
			break;
	}
	for (int i = 0; i < OWN_TRIGGERS; i++)
		if (own_triggers[i].came_with_update && !own_trigger_fires(&own_triggers[i], false))
			return psprintf("Trigger \"%s\" on the extension's own table %s is disabled.",
							own_triggers[i].name, own_triggers[i].table);
	return NULL;
}

/* What reads a schedule, for guarded_call(). */
typedef struct ReadCall
{
	const AirflowTables *tables;
	const DagVersion *version;
	const char *why;
} ReadCall;

static void
read_problem(void *arg)
{
	ReadCall *call = arg;

	call->why = version_schedule(call->tables, call->version)->why;
}

/* Why the version's schedule cannot be computed, as a sentence, or NULL. Call it connected to SPI. */
const char *
schedule_problem(const AirflowTables *tables, const DagVersion *version)
{
	ReadCall call = {.tables = tables, .version = version};
	ErrorData *error = guarded_call(read_problem, &call);

	if (error != NULL)
		return psprintf("Its serialized DAG cannot be read: %s.", error_text(error));
	return call.why;
}

/* What compares two, for guarded_call(). */
typedef struct CompareCall
{
	const AirflowTables *tables;
	const DagVersion *versions[2];
	bool differ;
} CompareCall;

static void
compare_timetables(void *arg)
{
	CompareCall *call = arg;
	JsonbContainer *timetables[2] = {NULL, NULL};

	for (int i = 0; i < 2; i++)
	{
		Jsonb *data = serialized_dag_load(call->tables, &call->versions[i]->id);

		if (data == NULL)
			return;
		timetables[i] = json_child(serialized_dag_body(data), "timetable");
	}
	if (timetables[0] == NULL || timetables[1] == NULL)
		call->differ = timetables[0] != timetables[1];
	else
		call->differ = compareJsonbContainers(timetables[0], timetables[1]) != 0;
}

/* Have two versions different timetables? False where that cannot be told. Call it connected to SPI. */
bool
schedules_differ(const AirflowTables *tables, const DagVersion *a, const DagVersion *b)
{
	CompareCall call = {.tables = tables, .versions = {a, b}};

	if (memcmp(&a->id, &b->id, sizeof(pg_uuid_t)) == 0 ||
		guarded_call(compare_timetables, &call) != NULL)
		return false;
	return call.differ;
}
