/*
 * in_force.c
 *		Are pins obeyed? One answer for pin(), which refuses to make a pin that would not be, for
 *		resolve() and for status().
 */
#include "in_force.h"

#include "commands/trigger.h"
#include "utils/lsyscache.h"

#include "airflow/attached_triggers.h"
#include "airflow/dag_run_columns.h"
#include "attach/next_ids.h"
#include "attach/own_triggers.h"
#include "settings.h"

/* What is wrong with the extension's own tables; attach() mends it. */
static const char *
own_tables_obstacle(void)
{
	const char *table;

	for (int i = 0; i < OWN_TRIGGERS; i++)
		if (!own_triggers[i].came_with_update && !own_trigger_fires(&own_triggers[i]))
			return psprintf(
				"Trigger \"%s\" on the extension's own table %s is disabled, or does not "
				"fire for what replication brings.",
				own_triggers[i].name, own_triggers[i].table);
	if ((table = next_id_taken()) != NULL)
		return psprintf("The next id of the extension's own table %s is taken, as after a "
						"switchover to a logical subscriber.",
						table);
	return NULL;
}

/* What is wrong with the triggers on Airflow's tables; attach() mends it. */
static const char *
attached_triggers_obstacle(Oid namespace)
{
	for (int i = 0; i < ATTACHED_TRIGGERS; i++)
	{
		const AttachedTrigger *attached = &attached_triggers[i];
		Oid relation = get_relname_relid(attached->table, namespace);
		char *name;
		AttachState state;

		if (attached->came_with_update)
			continue;
		state = airflow_find_trigger(relation, attached, &name);
		if (state == ATTACH_MISSING)
			return psprintf("Table %s has no trigger %s of airflow_pin: it is not attached.",
							attached->table, attached->function);
		if (state == ATTACH_DISABLED)
			return psprintf(
				"The trigger of airflow_pin on %s is disabled or does not fire for every "
				"row.",
				attached->table);
	}
	return NULL;
}

/*
 * What keeps pins from being in force on this dag_run, as a sentence, and what to do about it; NULL
 * when nothing does. Call it connected to SPI.
 */
const char *
pins_obstacle(Oid dag_run, const char **hint)
{
	const char *column = dag_run_missing_column(dag_run);
	const char *obstacle;

	if (!airflow_pin_enabled)
	{
		*hint = "Set airflow_pin.enabled to on.";
		return "The kill switch airflow_pin.enabled is off.";
	}
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
	{
		*hint = "Set session_replication_role to origin.";
		return "This session's session_replication_role is replica, so that no trigger fires.";
	}
	if (column != NULL)
	{
		*hint = "Upgrade airflow_pin to a release that knows this Airflow version.";
		return psprintf("Table dag_run has no column \"%s\" of the type that it has in Airflow 3.",
						column);
	}
	*hint = "Run: SELECT airflow_pin.attach();";
	obstacle = attached_triggers_obstacle(get_rel_namespace(dag_run));
	return obstacle ? obstacle : own_tables_obstacle();
}
