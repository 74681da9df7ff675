/*
 * plan_names.c
 *		Which names of constraints and indexes Airflow's migrations need, give and take away.
 *
 * The knowledge is in migration_steps.inc, too: tools/migration-plan/names.py ran each revision
 * with one name changed after the other.
 */
#include "postgres.h"

#include "plan/pending.h"
#include "plan/plan_names.h"
#include "plan/plan_steps.h"
#include "plan/plan_walk.h"

#include "catalog/namespace.h"

#define NEEDS (NAME_NEEDED | NAME_THING_NEEDED | NAME_TWIN_BEFORE | NAME_TWIN_AFTER)
#define TAKES (NAME_TAKEN | NAME_TAKEN_BY_OTHER)

/* A form of a revision ("revision" is set), or one of its names, which follow it. */
typedef struct PlanName
{
	Component component;
	const char *revision;
	const char *release;

	int flags;
	char type;
	const char *table;
	const char *name;
	const char *definition; /* NULL: as it was before */
} PlanName;

#define RELEASE(release, core, fab, provider)
#define MIGRATION(which, id, of_version, since)                                                    \
	{.component = which, .revision = id, .release = since},
#define STEP(table, text, lock, class, bits, columns, new_name)
#define PROVIDER(first_release, provider, fails)
#define NAME(bits, kind, of_table, object, text)                                                   \
	{.flags = bits, .type = kind, .table = of_table, .name = object, .definition = text},
/* Those before the first revision are what there is at the start. */
static const PlanName names[] = {
#include "migration_steps.inc"
};

/* The names of a form of a revision: the index of the first of them. */
static int
first_name(const PlanEntry *revision)
{
	for (int i = 0; i < (int) lengthof(names); i++)
		if (names[i].revision != NULL && names[i].component == revision->component &&
			strcmp(names[i].revision, revision->revision) == 0 &&
			strcmp(names[i].release, revision->release) == 0)
			return i + 1;
	return lengthof(names);
}

static bool
is_name(int index)
{
	return index < (int) lengthof(names) && names[index].revision == NULL;
}

/*
 * A thing's definition as it is at a position of a component: the last one that a revision up to
 * there has given it.
 */
static const char *
definition_at(const PlanName *name, Component component, int position)
{
	const PlanName *revision = NULL;
	const char *definition = NULL;

	for (int i = 0; i < (int) lengthof(names); i++)
		if (names[i].revision != NULL)
			revision = &names[i];
		else if (names[i].definition != NULL && names[i].type == name->type &&
				 strcmp(names[i].name, name->name) == 0 &&
				 (revision == NULL || (revision->component == component &&
									   plan_position(component, revision->revision) <= position)))
			definition = names[i].definition;
	return definition;
}

/* A walk through the pending revisions of a component. */
typedef struct NameWalk
{
	Component component;
	int position; /* of the database */
	Oid namespace;
	List *steps; /* so far */
	List *made;	 /* names that the revisions so far have given ... */
	List *gone;	 /* ... and taken away: PlanName */
	List *found;
} NameWalk;

static bool
is_listed(List *list, const PlanName *name)
{
	ListCell *cell;

	foreach (cell, list)
		if (strcmp(((const PlanName *) lfirst(cell))->name, name->name) == 0)
			return true;
	return false;
}

static void
add_pending(NameWalk *walk, const PlanEntry *revision, const PlanName *name, int flags)
{
	PendingName *pending = palloc0(sizeof(PendingName));

	pending->revision = revision;
	pending->flags = flags;
	pending->type = name->type;
	pending->relation = plan_step_relation(walk->steps, name->table, walk->namespace);
	pending->name = name->name;
	pending->definition = definition_at(name, walk->component, walk->position);
	walk->found = lappend(walk->found, pending);
}

/* What an earlier revision makes is there when it is needed; what it takes away is free then. */
static void
walk_revision(NameWalk *walk, const PlanEntry *revision)
{
	int first = first_name(revision);

	for (int i = first; is_name(i); i++)
		if ((names[i].flags & NEEDS) != 0 && !is_listed(walk->made, &names[i]))
			add_pending(walk, revision, &names[i], names[i].flags & NEEDS);
	for (const PlanEntry *step = plan_next_step(revision); step != NULL;
		 step = plan_next_step(step))
		walk->steps = lappend(walk->steps, unconstify(PlanEntry *, step));
	for (int i = first; is_name(i); i++)
	{
		PlanName *name = unconstify(PlanName *, &names[i]);

		if ((name->flags & TAKES) != 0 && !is_listed(walk->gone, name))
			add_pending(walk, revision, name, name->flags & TAKES);
		if ((name->flags & NAME_MADE) != 0)
			walk->made = lappend(walk->made, name);
		if ((name->flags & NAME_GONE) != 0)
			walk->gone = lappend(walk->gone, name);
	}
}

/*
 * The names that matter in the database as it is now, in the order in which the migration to a
 * release comes to them: a list of PendingName. Raises an error as pending_revisions() does.
 */
List *
pending_names(Component component, const char *schema, const Release *target)
{
	NameWalk walk = {.component = component, .namespace = get_namespace_oid(schema, false)};
	List *revisions = pending_revisions(component, schema, target);
	ListCell *cell;

	if (revisions == NIL)
		return NIL;
	walk.position = plan_position(component, database_revision(component, schema));
	foreach (cell, revisions)
		walk_revision(&walk, lfirst(cell));
	return walk.found;
}
