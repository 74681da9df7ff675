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

/* What of TriggerEvent tells when a trigger was fired, and for what. */
#define TRIGGER_EVENT_MASK (TRIGGER_EVENT_TIMINGMASK | TRIGGER_EVENT_OPMASK | TRIGGER_EVENT_ROW)

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
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (unlikely(!CALLED_AS_TRIGGER(fcinfo) || (trigger->tg_event & TRIGGER_EVENT_MASK) != event))
		raise_wrong_trigger(function, fired);
	return trigger;
}

/* Inline, for the sake of the runs that no pin touches. */
static inline bool
is_before_insert_row(FunctionCallInfo fcinfo)
{
	return CALLED_AS_TRIGGER(fcinfo) &&
		   (((TriggerData *) fcinfo->context)->tg_event & TRIGGER_EVENT_MASK) ==
			   (TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW);
}

/* require_trigger() for BEFORE INSERT FOR EACH ROW. */
static inline TriggerData *
require_before_insert_row(FunctionCallInfo fcinfo, const char *function)
{
	return require_trigger(fcinfo, function,
						   TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW,
						   "BEFORE INSERT FOR EACH ROW");
}

#endif
