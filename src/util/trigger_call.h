/*
 * trigger_call.h
 *		Is a trigger function called as the trigger that it is meant to be?
 */
#ifndef TRIGGER_CALL_H
#define TRIGGER_CALL_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

extern TriggerData *require_before_insert_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_before_update_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_before_write_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_before_delete_row(FunctionCallInfo fcinfo, const char *function);
extern TriggerData *require_after_delete_statement(FunctionCallInfo fcinfo, const char *function);
extern bool row_is_copied(Oid relation);

#endif
