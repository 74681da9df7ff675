/*
 * plan_walk.c
 *		Go through a plan's steps and find the tables that they are about.
 *
 * The steps call things as they are named when the step runs. An earlier step may have renamed
 * them.
 */
#include "plan_walk.h"

#include "catalog/namespace.h"
#include "utils/lsyscache.h"

/* A column's new name, as a step gives it. */
typedef struct RenamedColumn
{
	Oid relation;
	const char *from;
	const char *to;
} RenamedColumn;

/*
 * The table that a step is about, under the name that it has now: an earlier step of the plan may
 * rename it. InvalidOid when it is yet to be created.
 */
Oid
plan_step_relation(List *steps_before, const char *name, Oid namespace)
{
	for (int i = list_length(steps_before) - 1; i >= 0; i--)
	{
		const PlanEntry *step = list_nth(steps_before, i);

		if (step->relation == NULL)
			continue;
		if (step->renamed != NULL && strcmp(step->renamed, name) == 0)
			name = step->relation;
		else if (strcmp(step->relation, name) == 0 &&
				 strncmp(step->operation, "CREATE TABLE", strlen("CREATE TABLE")) == 0)
			return get_relname_relid(name, namespace);
	}
	return get_relname_relid(name, namespace);
}

/* The name that a column has now. */
static const char *
present_column(List *renamed, Oid relation, const char *name)
{
	for (int i = list_length(renamed) - 1; i >= 0; i--)
	{
		const RenamedColumn *column = list_nth(renamed, i);

		if (column->relation == relation && strcmp(column->to, name) == 0)
			name = column->from;
	}
	return name;
}

static List *
add_change(List *changes, Oid relation, const char *what)
{
	PlanChange *change = palloc(sizeof(PlanChange));

	change->relation = relation;
	change->what = what;
	return lappend(changes, change);
}

/* A column's change, as one of any kind and as one of this kind. */
static List *
add_column_change(List *changes, List *renamed, Oid relation, const char *name, const char *kind)
{
	name = present_column(renamed, relation, name);
	changes = add_change(changes, relation, psprintf("COLUMN %s", name));
	return add_change(changes, relation, psprintf("%s %s", kind, name));
}

/* The columns of a new primary key, as "id)" or "alias_id, asset_id)". */
static List *
add_key_columns(List *changes, List *renamed, Oid relation, const char *columns)
{
	char name[NAMEDATALEN];
	int read = 0;

	for (; sscanf(columns, "%63[^,)]%n", name, &read) == 1; columns += strspn(columns, ", "))
	{
		changes = add_change(changes, relation,
							 psprintf("PRIMARY KEY %s", present_column(renamed, relation, name)));
		columns += read;
	}
	return changes;
}

/* One action of a step: "DROP COLUMN conf", "ALTER COLUMN id TYPE UUID", "RENAME COLUMN a TO b". */
static List *
read_action(List *changes, List **renamed, Oid relation, const char *action)
{
	char first[NAMEDATALEN];
	char second[NAMEDATALEN];
	int read = 0;

	if (sscanf(action, "RENAME COLUMN %63s TO %63s", first, second) == 2)
	{
		RenamedColumn *column = palloc(sizeof(RenamedColumn));

		column->relation = relation;
		column->from = pstrdup(first);
		column->to = pstrdup(second);
		*renamed = lappend(*renamed, column);
	}
	else if (sscanf(action, "DROP COLUMN %63s", first) == 1)
		changes = add_column_change(changes, *renamed, relation, first, "DROPPED");
	else if (sscanf(action, "ALTER COLUMN %63s TYPE %n", first, &read) == 1 && read > 0)
		changes = add_column_change(changes, *renamed, relation, first, "RETYPED");
	else if (sscanf(action, "DROP CONSTRAINT %63s", first) == 1)
		changes = add_change(changes, relation, psprintf("CONSTRAINT %s", first));
	else if (sscanf(action, "DROP INDEX %63s", first) == 1)
		changes = add_change(changes, relation, psprintf("INDEX %s", first));
	else if (sscanf(action, "ADD PRIMARY KEY (%n", &read) == 0 && read > 0)
		changes = add_key_columns(changes, *renamed, relation, action + read);
	else if (strcmp(action, "DROP TABLE") == 0)
		changes = add_change(changes, relation, "TABLE");
	return changes;
}

/* The actions of a step are separated by "; ". */
static List *
read_step(List *changes, List **renamed, Oid relation, const PlanEntry *step)
{
	char *rest = pstrdup(step->operation);

	for (char *action = rest; action != NULL; action = rest)
	{
		rest = strstr(action, "; ");
		if (rest != NULL)
		{
			*rest = '\0';
			rest += strlen("; ");
		}
		changes = read_action(changes, renamed, relation, action);
	}
	return changes;
}

/*
 * What the revisions take away from the tables that are there now, or give another type: a list of
 * PlanChange. It may also have things that an earlier step has added.
 */
List *
plan_changes(List *revisions, Oid namespace)
{
	List *changes = NIL;
	List *renamed = NIL;
	List *steps = NIL;
	ListCell *cell;

	foreach (cell, revisions)
		for (const PlanEntry *step = plan_next_step(lfirst(cell)); step != NULL;
			 step = plan_next_step(step))
		{
			Oid relation =
				step->relation ? plan_step_relation(steps, step->relation, namespace) : InvalidOid;

			if (OidIsValid(relation))
				changes = read_step(changes, &renamed, relation, step);
			steps = lappend(steps, unconstify(PlanEntry *, step));
		}
	return changes;
}
