/*
 * written_tables.c
 *		Which tables do the pending steps of a migration write anew?
 */
#include "written_tables.h"

#include "catalog/namespace.h"

#include "airflow/role_setting.h"
#include "plan/pending.h"
#include "plan/plan_walk.h"

/* Does the step leave a second copy of the table, or of every row in it? */
static bool
writes_anew(const PlanEntry *step, bool utc)
{
	switch (step->cost)
	{
		case COST_REWRITE:
			return (step->flags & STEP_REWRITES_UNLESS_UTC) == 0 || !utc;
		case COST_UPDATE:
		case COST_UPDATE_BATCHES:
		case COST_CLIENT_ROWS:
		case COST_CLIENT_PAGES:
			return true;
		default:
			return false;
	}
}

typedef struct WrittenTables
{
	bool utc;
	List *relations;
} WrittenTables;

/* PlanVisitor */
static void
add_written(const PlanAction *action, void *arg)
{
	WrittenTables *written = arg;

	if (OidIsValid(action->relation) && writes_anew(action->step, written->utc))
		written->relations = list_append_unique_oid(written->relations, action->relation);
}

/*
 * OIDs of the tables that are there now and that a step up to the target rewrites or updates in
 * full; of a partitioned one its own. Raises an error where the pending steps are not known. To be
 * called between SPI_connect() and SPI_finish().
 */
List *
written_tables(const char *schema, const Release *target)
{
	Oid namespace = get_namespace_oid(schema, true);
	WrittenTables written = {.utc = migrates_in_utc(schema)};

	for (Component component = COMPONENT_CORE; component <= COMPONENT_FAB; component++)
		plan_walk(pending_revisions(component, schema, target), namespace, add_written, &written);
	return written.relations;
}
