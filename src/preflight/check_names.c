/*
 * check_names.c
 *		Check: is the name of something that the migration creates taken already?
 *
 * An index that was made in advance, a table of somebody else, a column, a constraint: CREATE and
 * ADD fail on it. Which names of constraints and indexes a revision gives without a look at what is
 * there, plan_names.c knows.
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "plan/pending.h"
#include "plan/plan_names.h"
#include "plan/plan_steps.h"
#include "plan/plan_walk.h"
#include "preflight/checks.h"

#include "access/attnum.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* A column that is gone when a later step comes. */
typedef struct FreedColumn
{
	Oid relation;
	const char *name;
} FreedColumn;

typedef struct NameSearch
{
	const Preflight *preflight;
	Oid namespace;
	List *leftovers; /* tables that a step finds and leaves: AirflowRelation */
	List *freed;	 /* FreedColumn; no other name becomes free and is used again */
	int found;
} NameSearch;

static void
free_column(NameSearch *search, Oid relation, const char *name)
{
	FreedColumn *freed = palloc(sizeof(FreedColumn));

	freed->relation = relation;
	freed->name = pstrdup(name);
	search->freed = lappend(search->freed, freed);
}

static bool
is_freed(const NameSearch *search, Oid relation, const char *name)
{
	ListCell *cell;

	foreach (cell, search->freed)
	{
		const FreedColumn *freed = lfirst(cell);

		if (freed->relation == relation && strcmp(freed->name, name) == 0)
			return true;
	}
	return false;
}

/* What ALTER calls a relation of that kind. */
static const char *
kind_name(char kind)
{
	switch (kind)
	{
		case RELKIND_INDEX:
			return "INDEX";
		case RELKIND_VIEW:
			return "VIEW";
		case RELKIND_MATVIEW:
			return "MATERIALIZED VIEW";
		case RELKIND_SEQUENCE:
			return "SEQUENCE";
		case RELKIND_FOREIGN_TABLE:
			return "FOREIGN TABLE";
		case RELKIND_COMPOSITE_TYPE:
			return "TYPE";
		default:
			return "TABLE";
	}
}

static void
add_taken(NameSearch *search, const PlanAction *action, const char *object, const char *fix_sql)
{
	Finding finding = {.check_name = "taken_names", .severity = SEVERITY_CRITICAL};

	finding.object = object;
	finding.value = action->revision->revision;
	finding.message =
		psprintf("%s exists, and revision %s of %s %s, which makes something of that name, fails",
				 object, action->revision->revision,
				 action->revision->component == COMPONENT_CORE ? "Airflow" : "FAB",
				 action->revision->version);
	finding.hint = "Rename it; or drop it, if it was made ahead of the migration.";
	finding.fix_sql = fix_sql;
	findings_add(search->preflight->findings, &finding);
	search->found++;
}

/* The name that fix_sql gives. */
static const char *
other_name(const char *name)
{
	return quote_identifier(makeObjectName(name, NULL, "kept"));
}

/* A column that is added, or gets that name. */
static void
look_for_column(NameSearch *search, const PlanAction *action, const char *name)
{
	char *schema = get_namespace_name(search->namespace);
	char *table;

	if (!OidIsValid(action->relation) || is_freed(search, action->relation, name) ||
		get_attnum(action->relation, name) == InvalidAttrNumber)
		return;
	table = get_rel_name(action->relation);
	add_taken(search, action, psprintf("COLUMN %s.%s", table, name),
			  psprintf("ALTER TABLE %s RENAME COLUMN %s TO %s;",
					   quote_qualified_identifier(schema, table), quote_identifier(name),
					   other_name(name)));
}

static bool
is_leftover(const NameSearch *search, Oid relation)
{
	ListCell *cell;

	foreach (cell, search->leftovers)
		if (((const AirflowRelation *) lfirst(cell))->oid == relation)
			return true;
	return false;
}

/* A table or index that is made, or a table that gets that name: no type may have it either. */
static void
look_for_relation(NameSearch *search, const PlanAction *action, const char *name)
{
	char *schema = get_namespace_name(search->namespace);
	Oid relation = get_relname_relid(name, search->namespace);
	const char *kind = OidIsValid(relation) ? kind_name(get_rel_relkind(relation)) : "TYPE";

	if (OidIsValid(relation) ? is_leftover(search, relation)
							 : !SearchSysCacheExists2(TYPENAMENSP, CStringGetDatum(name),
													  ObjectIdGetDatum(search->namespace)))
		return;
	add_taken(search, action, psprintf("%s %s", kind, name),
			  psprintf("ALTER %s %s RENAME TO %s;", kind, quote_qualified_identifier(schema, name),
					   other_name(name)));
}

/* A constraint that is added to a table. */
static void
look_for_constraint(NameSearch *search, const PlanAction *action, const char *name)
{
	char *schema = get_namespace_name(search->namespace);
	char *table;

	if (!OidIsValid(action->relation) ||
		!OidIsValid(get_relation_constraint_oid(action->relation, name, true)))
		return;
	table = get_rel_name(action->relation);
	add_taken(search, action, psprintf("CONSTRAINT %s ON %s", name, table),
			  psprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s;",
					   quote_qualified_identifier(schema, table), quote_identifier(name),
					   other_name(name)));
}

/* Has the name an index of the very table? Some revisions look for that before they make one. */
static bool
is_index_of(const NameSearch *search, const PendingName *name)
{
	Oid index = get_relname_relid(name->name, search->namespace);

	return OidIsValid(index) && get_rel_relkind(index) == RELKIND_INDEX &&
		   IndexGetRelation(index, true) == name->relation;
}

/* Constraints and indexes. A key's name is that of its index, too. */
static void
look_for_names_of(NameSearch *search, Component component)
{
	const Preflight *preflight = search->preflight;
	ListCell *cell;

	foreach (cell, pending_names(component, preflight->schema, preflight->target))
	{
		const PendingName *name = lfirst(cell);
		PlanAction action = {.revision = name->revision, .relation = name->relation};
		int found = search->found;

		if ((name->flags & (NAME_TAKEN | NAME_TAKEN_BY_OTHER)) == 0 ||
			is_leftover(search, name->relation) ||
			((name->flags & NAME_TAKEN) == 0 && is_index_of(search, name)))
			continue;
		if (name->type == 'f' || name->type == 'c' || name->type == 'u')
			look_for_constraint(search, &action, name->name);
		if (search->found == found && name->type != 'f' && name->type != 'c')
			look_for_relation(search, &action, name->name);
	}
}

/* PlanVisitor */
static void
look_for_names(const PlanAction *action, void *arg)
{
	NameSearch *search = arg;
	char name[NAMEDATALEN];

	if (sscanf(action->text, "ADD COLUMN %63s", name) == 1 ||
		sscanf(action->text, "RENAME COLUMN %*s TO %63s", name) == 1)
		look_for_column(search, action, name);
	else if (sscanf(action->text, "DROP COLUMN %63s", name) == 1)
		free_column(search, action->relation, name);
	else if (sscanf(action->text, "RENAME TO %63s", name) == 1)
		look_for_relation(search, action, name);
	else if (strcmp(action->text, "CREATE TABLE") == 0)
		look_for_relation(search, action, action->step->relation);
}

/* Tables that a step finds and leaves, as 0049 does with _xcom_archive. */
static List *
leftovers(const char *schema)
{
	List *found = NIL;
	ListCell *cell;

	foreach (cell, airflow_relations(schema))
		if (((const AirflowRelation *) lfirst(cell))->leftover)
			found = lappend(found, lfirst(cell));
	return found;
}

void
check_names(const Preflight *preflight)
{
	NameSearch search = {.preflight = preflight};

	search.namespace = get_namespace_oid(preflight->schema, false);
	search.leftovers = leftovers(preflight->schema);
	plan_walk(pending_revisions(COMPONENT_CORE, preflight->schema, preflight->target),
			  search.namespace, look_for_names, &search);
	look_for_names_of(&search, COMPONENT_CORE);
	look_for_names_of(&search, COMPONENT_FAB);
	if (search.found == 0)
		findings_add(preflight->findings,
					 &(Finding){.check_name = "taken_names",
								.message = "no name that the migration will need is taken"});
}
