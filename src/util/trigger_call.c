/*
 * trigger_call.c
 *		Is a trigger function called as the trigger that it is meant to be?
 */
#include "trigger_call.h"

/* Raise an error unless the function was fired BEFORE UPDATE FOR EACH ROW. */
TriggerData *
require_before_update_row(FunctionCallInfo fcinfo, const char *function)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE UPDATE FOR EACH ROW", function),
				 errhint("Attach it with: SELECT airflow_pin.attach();")));
	return trigger;
}
