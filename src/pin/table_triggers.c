/*
 * table_triggers.c
 *		Triggers on the extension's own tables.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "pin/cache.h"

PG_FUNCTION_INFO_V1(airflow_pin_announce_pins);
PG_FUNCTION_INFO_V1(airflow_pin_refuse_change);

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"%s\" was not called by a trigger", function)));
	return (TriggerData *) fcinfo->context;
}

/*
 * AFTER any change on pinned_version. It fires for plain DML, COPY and replication too, so no way
 * of changing a pin leaves a session with an old one.
 */
Datum
airflow_pin_announce_pins(PG_FUNCTION_ARGS)
{
	(void) trigger_data(fcinfo, "announce_pins");
	pin_cache_announce();
	return PointerGetDatum(NULL);
}

/*
 * BEFORE UPDATE, DELETE or TRUNCATE FOR EACH STATEMENT on pin_history.
 */
Datum
airflow_pin_refuse_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "refuse_change");

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" is append-only", RelationGetRelationName(trigger->tg_relation)),
			 errdetail("It tells who held which DAG at which version, and when."),
			 errhint("To shorten it, a superuser may disable its trigger "
					 "\"refuse_change\" for one transaction.")));
}
