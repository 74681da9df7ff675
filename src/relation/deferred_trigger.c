/*
 * deferred_trigger.c
 *		A trigger of somebody else's that keeps the health functions from writing to a table.
 *
 * Airflow's tables are written to in their owner's name (owner_scope_enter_foreign), where the
 * server queues no deferred trigger: it would fire at commit, and then with the caller's rights.
 * Its own error names neither the trigger nor a way out.
 */
#include "deferred_trigger.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static bool
is_in_the_way(const Trigger *trigger)
{
	return trigger->tginitdeferred && !trigger->tgisinternal &&
		   TRIGGER_FOR_UPDATE(trigger->tgtype) &&
		   (trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
			trigger->tgenabled == TRIGGER_FIRES_ALWAYS);
}

/*
 * Raise an error that names a trigger which an UPDATE of the table would defer. The caller holds a
 * lock on the table.
 */
void
require_no_deferred_trigger(Oid relation)
{
	Relation table = table_open(relation, NoLock);
	const TriggerDesc *triggers = table->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (is_in_the_way(trigger))
			ereport(
				ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("deferred trigger \"%s\" on table \"%s\" is in the way", trigger->tgname,
						RelationGetRelationName(table)),
				 errdetail("The table is written to in its owner's name, but the trigger would "
						   "fire at commit, with the caller's rights."),
				 errhint("Disable it meanwhile: ALTER TABLE %s DISABLE TRIGGER %s;",
						 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
													RelationGetRelationName(table)),
						 quote_identifier(trigger->tgname))));
	}
	table_close(table, NoLock);
}
