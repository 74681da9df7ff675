/*
 * own_triggers.c
 *		The triggers on the extension's own tables: are they as they were installed?
 *
 * "pg_restore --disable-triggers" leaves a trigger that fired always as one that does not fire for
 * what logical replication brings, and when it is interrupted, disabled.
 */
#include "own_triggers.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/fmgroids.h"

#include "airflow/attached_triggers.h"
#include "relation/relation.h"

const OwnTrigger own_triggers[OWN_TRIGGERS] = {
	{"run_decision", "reconcile_run", false, false},
	{"pinned_version", "announce_pins", true, false},
	{"pinned_version", "announce_truncate", true, false},
	{"pinned_version", "settle_schedule", false, true},
	{"schedule_due", "settle_schedule", false, true},
};

/* When it fires: pg_trigger.tgenabled. A trigger that is gone never does. */
static char
fires_on(const OwnTrigger *trigger)
{
	Relation pg_trigger = table_open(TriggerRelationId, AccessShareLock);
	char enabled = TRIGGER_DISABLED;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(pin_relation(trigger->table)));
	ScanKeyInit(&key[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(trigger->name));
	scan = systable_beginscan(pg_trigger, TriggerRelidNameIndexId, true, NULL, 2, key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		enabled = ((Form_pg_trigger) GETSTRUCT(tuple))->tgenabled;
	systable_endscan(scan);
	table_close(pg_trigger, AccessShareLock);
	return enabled;
}

/* Have the SQL objects the trigger's table? Not where they are of an earlier release. */
bool
own_trigger_exists(const OwnTrigger *trigger)
{
	return !trigger->came_with_update || pin_relation_exists("schedule_due");
}

bool
own_trigger_is_as_installed(const OwnTrigger *trigger)
{
	return fires_on(trigger) == (trigger->always ? TRIGGER_FIRES_ALWAYS : TRIGGER_FIRES_ON_ORIGIN);
}

/*
 * Does it fire whenever it is needed, in sessions whose session_replication_role is replica, or is
 * not? What only replication needs matters only on a subscriber.
 */
bool
own_trigger_fires(const OwnTrigger *trigger, bool replica)
{
	char enabled = fires_on(trigger);

	if (!replica && enabled == TRIGGER_FIRES_ON_ORIGIN)
		return !trigger->always || !relation_is_subscribed(pin_relation(trigger->table));
	return trigger_fires(enabled, replica);
}
