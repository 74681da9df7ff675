/*
 * in_force.c
 *		Are pins obeyed? One answer for pin(), which refuses to make a pin that would not be, for
 *		resolve(), for postflight() and for status().
 *
 * It is yes only if a run that Airflow's role inserts now, into whichever pinned DAG, would be held:
 * so it looks at everything that such a run needs, as the sessions of that role have it. Nothing is
 * locked: what is looked at are the catalogs.
 */
#include "in_force.h"

#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "airflow/attached_triggers.h"
#include "airflow/known_revisions.h"
#include "airflow/needed_columns.h"
#include "airflow/revision.h"
#include "airflow/tables.h"
#include "attach/next_ids.h"
#include "attach/own_triggers.h"
#include "attach/writing_roles.h"
#include "relation/relation.h"
#include "settings.h"
#include "util/guarded.h"
#include "util/owner_scope.h"

/* What is asked, and what was found. */
typedef struct InForce
{
	const char *schema;
	AirflowTables tables;
	List *revisions;
} InForce;

/* The extension's own tables that a run needs, and the rights that their owner needs on them. */
static const struct
{
	const char *name;
	AclMode rights;
} own_tables[] = {
	{"pinned_version", ACL_SELECT},
	{"run_decision", ACL_SELECT | ACL_INSERT | ACL_UPDATE},
};

/* Work is done as a table's owner, who may have taken rights on it away from itself. */
static bool
owner_may(Oid relation, AclMode rights)
{
	Oid owner = relation_owner(relation);

	return DatumGetBool(DirectFunctionCall3(has_schema_privilege_id_id, ObjectIdGetDatum(owner),
											ObjectIdGetDatum(get_rel_namespace(relation)),
											CStringGetTextDatum("USAGE"))) &&
		   pg_class_aclmask(relation, owner, rights, ACLMASK_ALL) == rights;
}

/* What is wrong with the extension's own tables, apart from their triggers and sequences. */
static const char *
own_tables_obstacle(const char **hint)
{
	for (int i = 0; i < (int) lengthof(own_tables); i++)
	{
		Oid relation = pin_relation(own_tables[i].name);
		const char *obstacle = table_obstacle(relation);

		*hint = "Drop them.";
		if (obstacle != NULL)
			return psprintf("The extension's own table %s %s.", own_tables[i].name, obstacle);
		*hint =
			psprintf("Give it back to the owner of the extension with ALTER TABLE, or grant that "
					 "role USAGE on schema airflow_pin and its rights on the table.");
		if (!owner_may(relation, own_tables[i].rights))
			return psprintf("The owner of the extension's own table %s may not write to it, or not "
							"use its schema.",
							own_tables[i].name);
	}
	return NULL;
}

/* What is wrong with the triggers and sequences of the extension's own tables; attach() mends it. */
static const char *
own_triggers_obstacle(bool replica)
{
	const char *table;

	for (int i = 0; i < OWN_TRIGGERS; i++)
		if (!own_triggers[i].came_with_update && !own_trigger_fires(&own_triggers[i], replica))
			return psprintf(
				"Trigger \"%s\" on the extension's own table %s is disabled, or does not "
				"fire for what replication brings.",
				own_triggers[i].name, own_triggers[i].table);
	if (!replica && (table = next_id_taken()) != NULL)
		return psprintf("The next id of the extension's own table %s is taken, as after a "
						"switchover to a logical subscriber.",
						table);
	return NULL;
}

/* What is wrong with a trigger on one table or partition, as sessions of that kind see it. */
static const char *
trigger_obstacle(Oid relation, const char *name, const AttachedTrigger *attached, bool replica)
{
	char *trigger;

	switch (airflow_trigger_state(relation, attached, replica, &trigger))
	{
		case ATTACH_MISSING:
			return psprintf("Table %s has no trigger %s of airflow_pin: it is not attached.", name,
							attached->function);
		case ATTACH_DISABLED:
			return psprintf(
				"The trigger of airflow_pin on %s is disabled or does not fire for every "
				"row.",
				name);
		case ATTACH_PRESENT:
			break;
	}
	return NULL;
}

/*
 * What is wrong with the triggers on Airflow's tables; attach() mends it, but not where it is a
 * partition's, each of which has its own.
 */
static const char *
attached_triggers_obstacle(Oid namespace, bool replica, const char **hint)
{
	const char *obstacle = NULL;

	for (int i = 0; i < ATTACHED_TRIGGERS && obstacle == NULL; i++)
	{
		const AttachedTrigger *attached = &attached_triggers[i];
		Oid table = get_relname_relid(attached->table, namespace);
		ListCell *cell;

		if (attached->came_with_update)
			continue;
		*hint = "Run: SELECT airflow_pin.attach();";
		obstacle = trigger_obstacle(table, attached->table, attached, replica);
		if (obstacle != NULL || get_rel_relkind(table) != RELKIND_PARTITIONED_TABLE ||
			!TRIGGER_FOR_ROW(attached->type))
			continue;
		*hint = "Enable the triggers of the partition with ALTER TABLE, or detach() and attach().";
		foreach (cell, table_and_partitions(table))
			if (obstacle == NULL)
				obstacle = trigger_obstacle(lfirst_oid(cell), get_rel_name(lfirst_oid(cell)),
											attached, replica);
	}
	return obstacle;
}

/* What of all triggers does not fire where session_replication_role is replica. */
static const char *
replica_obstacle(void *arg)
{
	const InForce *in_force = arg;
	const char *ignored;
	const char *obstacle =
		attached_triggers_obstacle(get_rel_namespace(in_force->tables.dag_run), true, &ignored);

	return obstacle ? obstacle : own_triggers_obstacle(true);
}

/* What is wrong with this session alone. */
static const char *
session_obstacle(InForce *in_force, const char **hint)
{
	if (!airflow_pin_enabled)
	{
		*hint = "Set airflow_pin.enabled to on.";
		return "The kill switch airflow_pin.enabled is off.";
	}
	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA &&
		replica_obstacle(in_force) != NULL)
	{
		*hint = "Set session_replication_role to origin.";
		return "This session's session_replication_role is replica, so that triggers do not fire.";
	}
	return NULL;
}

/* What is missing of Airflow's tables, or what their owner may not do with them. */
static const char *
airflow_tables_obstacle(const AirflowTables *tables, const char **hint)
{
	static const AclMode all = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;
	const Oid relations[] = {tables->dag,	   tables->dag_run,		   tables->dag_version,
							 tables->dag_code, tables->serialized_dag, tables->task_instance};
	const NeededColumn *column = needed_column_missing(get_rel_namespace(tables->dag_run));

	*hint = "Upgrade airflow_pin to a release that knows this Airflow version.";
	if (column != NULL)
		return psprintf("Table %s has no column \"%s\" of the type that it has in Airflow 3.",
						column->table, column->name);
	*hint = "Grant it what a table's owner has by itself: SELECT, INSERT, UPDATE and DELETE on the "
			"table, and USAGE on its schema.";
	for (int i = 0; i < (int) lengthof(relations); i++)
		if (!owner_may(relations[i], all))
			return psprintf("The owner of table %s has taken rights on it away from itself.",
							get_rel_name(relations[i]));
	return NULL;
}

/* GuardedCall: may work be done on Airflow's tables in their owner's name? As enforcement asks. */
static void
find_tables(void *arg)
{
	InForce *in_force = arg;

	airflow_tables_unlocked(&in_force->tables, in_force->schema);
}

/*
 * What keeps pins from being in force in this schema, as a sentence, and what to do about it; NULL
 * when nothing does. Call it connected to SPI.
 */
const char *
pins_obstacle(const char *schema, const char **hint)
{
	InForce in_force = {.schema = schema};
	const char *obstacle;
	ErrorData *error = guarded_call(find_tables, &in_force);

	if (error != NULL)
	{
		*hint = error->hint;
		return psprintf("%s.", error->message);
	}
	if ((obstacle = session_obstacle(&in_force, hint)) != NULL ||
		(obstacle = airflow_tables_obstacle(&in_force.tables, hint)) != NULL ||
		(obstacle = attached_triggers_obstacle(get_rel_namespace(in_force.tables.dag_run), false,
											   hint)) != NULL ||
		(obstacle = own_tables_obstacle(hint)) != NULL)
		return obstacle;
	*hint = "Run: SELECT airflow_pin.attach();";
	if ((obstacle = own_triggers_obstacle(false)) != NULL)
		return obstacle;
	return writing_roles_obstacle(in_force.tables.dag_run, replica_obstacle, &in_force, hint);
}

/* GuardedCall: read the revision of Airflow's tables. */
static void
find_revisions(void *arg)
{
	InForce *in_force = arg;

	if (revisions_exist(in_force->schema, CORE_VERSION_TABLE))
		in_force->revisions = read_revisions(in_force->schema, CORE_VERSION_TABLE);
}

/*
 * Where nothing is known to keep pins from being in force: why that is no answer yet, as a sentence,
 * and what to do; NULL where it is. What an Airflow does that is not known shows in its columns only
 * in part. Call it connected to SPI.
 */
const char *
pins_doubt(const char *schema, const char **hint)
{
	InForce in_force = {.schema = schema};
	ErrorData *error = guarded_look(find_revisions, &in_force);

	if (error != NULL)
	{
		*hint = "Ask again when it can be read.";
		return psprintf("Which Airflow this is cannot be told: %s.", error->message);
	}
	*hint =
		"Every column that pins need is there. Pin one DAG, let it run, and look at its tasks and "
		"at airflow_pin.run_decision; or upgrade airflow_pin to a release that knows this "
		"Airflow version.";
	if (in_force.revisions == NIL)
		return "Which Airflow this is cannot be told: table " CORE_VERSION_TABLE
			   " is empty or missing.";
	if (list_length(in_force.revisions) > 1 ||
		!core_revision_is_known(linitial(in_force.revisions)))
		return psprintf(
			"This release of airflow_pin does not know revision %s of Airflow's tables; "
			"the newest that it knows is %s.",
			(const char *) linitial(in_force.revisions), newest_core_revision());
	return NULL;
}
