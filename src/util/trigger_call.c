/*
 * trigger_call.c
 *		Is a trigger function called as the trigger that it is meant to be?
 */
#include "trigger_call.h"

#include "commands/copyfrom_internal.h"
#include "executor/spi.h"
#include "utils/rel.h"

void
raise_wrong_trigger(const char *function, const char *fired)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("function \"%s\" must be fired %s", function, fired),
					errhint("Such triggers are made by airflow_pin.attach() and throttle().")));
}

/* Raise an error unless the function was fired by the event; "fired" says the same in SQL. */
static TriggerData *
require_trigger(FunctionCallInfo fcinfo, const char *function, TriggerEvent event,
				const char *fired)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || (trigger->tg_event & TRIGGER_EVENT_MASK) != event)
		raise_wrong_trigger(function, fired);
	return trigger;
}

/* The same as require_before_insert_row() for BEFORE UPDATE FOR EACH ROW. */
TriggerData *
require_before_update_row(FunctionCallInfo fcinfo, const char *function)
{
	return require_trigger(fcinfo, function,
						   TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_UPDATE | TRIGGER_EVENT_ROW,
						   "BEFORE UPDATE FOR EACH ROW");
}

/* The same for BEFORE INSERT OR UPDATE FOR EACH ROW. */
TriggerData *
require_before_write_row(FunctionCallInfo fcinfo, const char *function)
{
	bool insert = CALLED_AS_TRIGGER(fcinfo) &&
				  TRIGGER_FIRED_BY_INSERT(((TriggerData *) fcinfo->context)->tg_event);

	return require_trigger(fcinfo, function,
						   TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW |
							   (insert ? TRIGGER_EVENT_INSERT : TRIGGER_EVENT_UPDATE),
						   "BEFORE INSERT OR UPDATE FOR EACH ROW");
}

/* The same for BEFORE DELETE FOR EACH ROW. */
TriggerData *
require_before_delete_row(FunctionCallInfo fcinfo, const char *function)
{
	return require_trigger(fcinfo, function,
						   TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_DELETE | TRIGGER_EVENT_ROW,
						   "BEFORE DELETE FOR EACH ROW");
}

/* The same for AFTER DELETE FOR EACH STATEMENT. */
TriggerData *
require_after_delete_statement(FunctionCallInfo fcinfo, const char *function)
{
	return require_trigger(fcinfo, function, TRIGGER_EVENT_AFTER | TRIGGER_EVENT_DELETE,
						   "AFTER DELETE FOR EACH STATEMENT");
}

/*
 * Is the row that a trigger on this table was fired for one that COPY brings? A trigger is told
 * nothing of its statement, but COPY says in the error context where it is.
 */
bool
row_is_copied(Oid relation)
{
	for (ErrorContextCallback *context = error_context_stack; context; context = context->previous)
		if (context->callback == CopyFromErrorCallback &&
			RelationGetRelid(((CopyFromState) context->arg)->rel) == relation)
			return true;
	return false;
}

/* The text of a column; NULL for NULL, or where there is no such column. */
char *
trigger_column_text(TriggerData *trigger, HeapTuple tuple, const char *column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	int number = SPI_fnumber(desc, column);

	return number > 0 ? SPI_getvalue(tuple, desc, number) : NULL;
}
