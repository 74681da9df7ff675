/*
 * trigger_call.h
 *		Is a trigger function called as the trigger that it is meant to be?
 */
#ifndef UTIL_TRIGGER_CALL_H
#define UTIL_TRIGGER_CALL_H

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

/* What of TriggerEvent tells when a trigger was fired, and for what. */
#define TRIGGER_EVENT_MASK (TRIGGER_EVENT_TIMINGMASK | TRIGGER_EVENT_OPMASK | TRIGGER_EVENT_ROW)

/* Inline, as the next one, for the sake of the rows that no pin touches. */
static inline bool
is_before_insert_row(FunctionCallInfo fcinfo)
{
	return CALLED_AS_TRIGGER(fcinfo) &&
		   (((TriggerData *) fcinfo->context)->tg_event & TRIGGER_EVENT_MASK) ==
			   (TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW);
}

/* Raise an error unless the function, which SQL calls so, was fired BEFORE INSERT FOR EACH ROW. */
static inline TriggerData *
require_before_insert_row(FunctionCallInfo fcinfo, const char *function)
{
	if (unlikely(!is_before_insert_row(fcinfo)))
		raise_wrong_trigger(function, "BEFORE INSERT FOR EACH ROW");
	return (TriggerData *) fcinfo->context;
}
extern char *trigger_column_text(TriggerData *trigger, HeapTuple tuple, const char *column);

#endif
