/*
 * in_force.c
 *		Are pins obeyed? One answer for pin(), which refuses to make a pin that would not be, for
 *		resolve() and for status().
 */
#include "in_force.h"

#include "utils/lsyscache.h"

#include "airflow_pin.h"
#include "airflow/catalog.h"

/*
 * What keeps pins from being in force on this dag_run, as a sentence, and what to do about it; NULL
 * when nothing does.
 */
const char *
pins_obstacle(Oid dag_run, const char **hint)
{
	const char *column = dag_run_missing_column(dag_run);
	const char *trigger = pin_disabled_trigger();

	if (!airflow_pin_enabled)
	{
		*hint = "Set airflow_pin.enabled to on.";
		return "The kill switch airflow_pin.enabled is off.";
	}
	if (column != NULL)
	{
		*hint = "Upgrade airflow_pin to a release that knows this Airflow version.";
		return psprintf("Table dag_run has no column \"%s\" of the type that it has in Airflow 3.",
						column);
	}
	if (trigger != NULL)
	{
		*hint = "Enable it with ALTER TABLE ... ENABLE ALWAYS TRIGGER.";
		return psprintf("Trigger \"%s\" on the extension's own table is disabled.", trigger);
	}
	*hint = "Run: SELECT airflow_pin.attach();";
	for (int i = 0; i < ATTACHED_TRIGGERS; i++)
	{
		const AttachedTrigger *attached = &attached_triggers[i];
		Oid relation = get_relname_relid(attached->table, get_rel_namespace(dag_run));
		char *name;
		AttachState state = airflow_find_trigger(relation, attached, &name);

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
