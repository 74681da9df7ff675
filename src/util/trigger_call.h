/*
 * trigger_call.h
 *		Is a trigger function called as the trigger that it is meant to be?
 */
#ifndef TRIGGER_CALL_H
#define TRIGGER_CALL_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

#include "compat.h"

pg_noreturn extern void raise_wrong_trigger(const char *function, const char *fired);
extern TriggerData *require_before_update_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_before_write_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_before_delete_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_after_delete_statement(FunctionCallInfo fcinfo, const char *function);
extern bool row_is_copied(Oid relation);

/* Raise an error unless the function was fired by the event; "fired" says the same in SQL. */
static inline TriggerData *
require_trigger(FunctionCallInfo fcinfo, const char *function, TriggerEvent event,
				const char *fired)
{
	const TriggerEvent mask = TRIGGER_EVENT_TIMINGMASK | TRIGGER_EVENT_OPMASK | TRIGGER_EVENT_ROW;
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (unlikely(!CALLED_AS_TRIGGER(fcinfo) || (trigger->tg_event & mask) != event))
		raise_wrong_trigger(function, fired);
	return trigger;
}

/* The same for BEFORE INSERT FOR EACH ROW, inline for the sake of the runs that no pin touches. */
static inline TriggerData *
require_before_insert_row(FunctionCallInfo fcinfo, const char *function)
{
	return require_trigger(fcinfo, function,
						   TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW,
						   "BEFORE INSERT FOR EACH ROW");
}

#endif
