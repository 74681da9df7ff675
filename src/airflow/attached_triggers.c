/*
 * attached_triggers.c
 *		Our triggers on Airflow's tables: what they are, and whether they are there.
 */
#include "attached_triggers.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "airflow_pin.h"

#define BEFORE_INSERT_ROW (TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_ROW)
#define BEFORE_UPDATE_ROW (TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_ROW)
#define BEFORE_WRITE_ROW (BEFORE_INSERT_ROW | BEFORE_UPDATE_ROW)
#define BEFORE_DELETE_ROW (TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_ROW)
#define AFTER_DELETE_STATEMENT (TRIGGER_TYPE_AFTER | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_STATEMENT)

/* What attach() puts on Airflow's tables. Without column lists and WHEN: see doc/internals.md. */
const AttachedTrigger attached_triggers[ATTACHED_TRIGGERS] = {
	{"dag_run", "enforce_run", "airflow_pin_enforce", BEFORE_WRITE_ROW, "BEFORE INSERT OR UPDATE",
	 false},
	{"task_instance", "adopt_version", "airflow_pin_adopt", BEFORE_INSERT_ROW, "BEFORE INSERT",
	 false},
	{"serialized_dag", "protect_version", "airflow_pin_protect", BEFORE_UPDATE_ROW, "BEFORE UPDATE",
	 false},
	{"dag_version", "protect_version", "airflow_pin_protect", BEFORE_UPDATE_ROW, "BEFORE UPDATE",
	 false},
	{"dag_code", "protect_version", "airflow_pin_protect", BEFORE_UPDATE_ROW, "BEFORE UPDATE",
	 false},
	{"serialized_dag", "keep_version", "airflow_pin_keep", BEFORE_DELETE_ROW, "BEFORE DELETE",
	 false},
	{"dag_version", "keep_version", "airflow_pin_keep", BEFORE_DELETE_ROW, "BEFORE DELETE", false},
	{"dag_code", "keep_version", "airflow_pin_keep", BEFORE_DELETE_ROW, "BEFORE DELETE", false},
	{"dag_version", "end_clean", "airflow_pin_end_clean", AFTER_DELETE_STATEMENT, "AFTER DELETE",
	 false},
	{"dag", "hold_schedule", "airflow_pin_hold", BEFORE_UPDATE_ROW, "BEFORE UPDATE", true},
};

static Oid
trigger_function(const AttachedTrigger *trigger)
{
	List *name = list_make2(makeString(PIN_SCHEMA), makeString(pstrdup(trigger->function)));

	return LookupFuncName(name, 0, NULL, true);
}

/* Have the SQL objects the trigger's function? Not where they are of an earlier release. */
bool
attached_trigger_exists(const AttachedTrigger *trigger)
{
	return OidIsValid(trigger_function(trigger));
}

/* The trigger with that function. */
const AttachedTrigger *
attached_trigger(const char *function)
{
	for (int i = 0; i < ATTACHED_TRIGGERS; i++)
		if (strcmp(attached_triggers[i].function, function) == 0)
			return &attached_triggers[i];
	elog(ERROR, "no trigger has function \"%s\"", function);
}

/* Does a trigger with that pg_trigger.tgenabled fire in sessions of that session_replication_role? */
bool
trigger_fires(char enabled, bool replica)
{
	return enabled == (replica ? TRIGGER_FIRES_ON_REPLICA : TRIGGER_FIRES_ON_ORIGIN) ||
		   enabled == TRIGGER_FIRES_ALWAYS;
}

/* Of the type that attach() gives it, and without a WHEN clause that would let rows pass? */
static bool
fires_always(Relation pg_trigger, HeapTuple tuple, int16 type)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	bool no_condition;

	(void) heap_getattr(tuple, Anum_pg_trigger_tgqual, RelationGetDescr(pg_trigger), &no_condition);
	return no_condition && form->tgtype == type && form->tgattr.dim1 == 0;
}

/*
 * State of one of our triggers, from pg_trigger: a trigger of any name that calls our function, as
 * sessions see it whose session_replication_role is replica, or is not. *trigger_name is its name,
 * or NULL. Takes no lock on the table, which may not exist.
 */
AttachState
airflow_trigger_state(Oid relation, const AttachedTrigger *trigger, bool replica,
					  char **trigger_name)
{
	Oid function = trigger_function(trigger);
	AttachState state = ATTACH_MISSING;
	Relation pg_trigger;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	*trigger_name = NULL;
	if (!OidIsValid(function) || !OidIsValid(relation))
		return ATTACH_MISSING;

	pg_trigger = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(pg_trigger, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		if (form->tgfoid != function)
			continue;
		*trigger_name = pstrdup(NameStr(form->tgname));
		if (trigger_fires(form->tgenabled, replica) &&
			fires_always(pg_trigger, tuple, trigger->type))
			state = ATTACH_PRESENT;
		else if (state == ATTACH_MISSING)
			state = ATTACH_DISABLED;
	}
	systable_endscan(scan);
	table_close(pg_trigger, AccessShareLock);
	return state;
}

/* The same for sessions as they usually are. */
AttachState
airflow_find_trigger(Oid relation, const AttachedTrigger *trigger, char **trigger_name)
{
	return airflow_trigger_state(relation, trigger, false, trigger_name);
}
