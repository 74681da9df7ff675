/*
 * plan_walk.c
 *		Go through a plan's steps and find the tables that they are about.
 *
 * The steps call things as they are named when the step runs. An earlier step may have renamed
 * them.
 */
#include "plan_walk.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
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

/* What plan_changes() collects. */
typedef struct ChangeList
{
	List *changes;
	List *renamed; /* columns: RenamedColumn */
} ChangeList;

static void
add_renamed(ChangeList *list, Oid relation, const char *from, const char *to)
{
	RenamedColumn *column = palloc(sizeof(RenamedColumn));

	column->relation = relation;
	column->from = pstrdup(from);
	column->to = pstrdup(to);
	list->renamed = lappend(list->renamed, column);
}

/* The name that a column has now. */
static const char *
present_column(const ChangeList *list, Oid relation, const char *name)
{
	for (int i = list_length(list->renamed) - 1; i >= 0; i--)
	{
		const RenamedColumn *column = list_nth(list->renamed, i);

		if (column->relation == relation && strcmp(column->to, name) == 0)
			name = column->from;
	}
	return name;
}

static void
add_change(ChangeList *list, Oid relation, const char *what)
{
	PlanChange *change = palloc(sizeof(PlanChange));

	change->relation = relation;
	change->what = what;
	list->changes = lappend(list->changes, change);
}

/* Is what can be done with a column of the one type done the same way with one of the other? */
static bool
types_are_alike(Oid one, Oid other)
{
	return one == other ||
		   (TypeCategory(one) == TYPCATEGORY_STRING && TypeCategory(other) == TYPCATEGORY_STRING);
}

/* ALTER COLUMN ... TYPE, which may only lengthen a varchar, or change nothing. */
static void
add_type_change(ChangeList *list, Oid relation, const char *name, const char *type)
{
	const char *column = present_column(list, relation, name);
	Oid old_type = get_atttype(relation, get_attnum(relation, column));
	Oid new_type = DatumGetObjectId(DirectFunctionCall1(regtypein, CStringGetDatum(type)));

	add_change(list, relation, psprintf("COLUMN %s", column));
	add_change(list, relation, "ROW");
	if (OidIsValid(old_type) && !types_are_alike(old_type, new_type))
		add_change(list, relation, psprintf("RETYPED %s", column));
}

static void
add_column_drop(ChangeList *list, Oid relation, const char *name)
{
	name = present_column(list, relation, name);
	add_change(list, relation, psprintf("COLUMN %s", name));
	add_change(list, relation, psprintf("DROPPED %s", name));
}

/* The columns of a new primary key, as "id)" or "alias_id, asset_id)". */
static void
add_key_columns(ChangeList *list, Oid relation, const char *columns)
{
	char name[NAMEDATALEN];
	int read = 0;

	for (; sscanf(columns, "%63[^,)]%n", name, &read) == 1; columns += strspn(columns, ", "))
	{
		add_change(list, relation,
				   psprintf("PRIMARY KEY %s", present_column(list, relation, name)));
		columns += read;
	}
}

/* PlanVisitor: "DROP COLUMN conf", "ALTER COLUMN id TYPE UUID", "RENAME COLUMN a TO b", ... */
static void
collect_changes(const PlanAction *action, void *arg)
{
	ChangeList *list = arg;
	char first[NAMEDATALEN];
	char second[NAMEDATALEN];
	int read = 0;

	if (!OidIsValid(action->relation))
		return;
	if (sscanf(action->text, "RENAME COLUMN %63s TO %63s", first, second) == 2)
		add_renamed(list, action->relation, first, second);
	else if (sscanf(action->text, "DROP COLUMN %63s", first) == 1)
		add_column_drop(list, action->relation, first);
	else if (sscanf(action->text, "ALTER COLUMN %63s TYPE %n", first, &read) == 1 && read > 0)
		add_type_change(list, action->relation, first, action->text + read);
	else if (sscanf(action->text, "DROP CONSTRAINT %63s", first) == 1)
		add_change(list, action->relation, psprintf("CONSTRAINT %s", first));
	else if (sscanf(action->text, "DROP INDEX %63s", first) == 1)
		add_change(list, action->relation, psprintf("INDEX %s", first));
	else if (sscanf(action->text, "ADD PRIMARY KEY (%n", &read) == 0 && read > 0)
		add_key_columns(list, action->relation, action->text + read);
	else if (strcmp(action->text, "DROP TABLE") == 0)
		add_change(list, action->relation, "TABLE");
}

/* The actions of a step are separated by "; ". */
static void
visit_actions(PlanAction *action, const char *operation, PlanVisitor visit, void *arg)
{
	char *rest = pstrdup(operation);

	for (char *text = rest; text != NULL; text = rest)
	{
		rest = strstr(text, "; ");
		if (rest != NULL)
		{
			*rest = '\0';
			rest += strlen("; ");
		}
		action->text = text;
		visit(action, arg);
	}
}

/* Call a function for each action of the revisions that is about a table, in their order. */
void
plan_walk(List *revisions, Oid namespace, PlanVisitor visit, void *arg)
{
	List *steps = NIL;
	ListCell *cell;

	foreach (cell, revisions)
		for (const PlanEntry *step = plan_next_step(lfirst(cell)); step != NULL;
			 step = plan_next_step(step))
		{
			PlanAction action = {.revision = lfirst(cell), .step = step};

			if (step->relation == NULL)
				continue;
			action.relation = plan_step_relation(steps, step->relation, namespace);
			visit_actions(&action, step->operation, visit, arg);
			steps = lappend(steps, unconstify(PlanEntry *, step));
		}
}

/*
 * What the revisions take away from the tables that are there now, or give another type: a list of
 * PlanChange. It may also have things that an earlier step has added.
 */
List *
plan_changes(List *revisions, Oid namespace)
{
	ChangeList list = {0};

	plan_walk(revisions, namespace, collect_changes, &list);
	return list.changes;
}
