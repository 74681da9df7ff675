/*
 * try_lock.c
 *		Lock a table for reading if that is possible at once.
 *
 * A health function that queued behind a migration's ACCESS EXCLUSIVE would hang just when it is
 * needed. So it asks first, and says who is in the way.
 */
#include "try_lock.h"

#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/syscache.h"

#include "relation/lock_blockers.h"
#include "relation/relation.h"

/* The planner locks every index of a table that it reads. */
static bool
try_lock_indexes(Oid relation)
{
	ListCell *cell;

	foreach (cell, relation_indexes(relation))
		if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
			return false;
	return true;
}

/* It locks partitions, and other tables that inherit, as well. */
static bool
try_lock_children(Oid relation)
{
	ListCell *cell;

	foreach (cell, find_inheritance_children(relation, NoLock))
		if (!try_lock_for_reading(lfirst_oid(cell)))
			return false;
	return true;
}

/*
 * Take ACCESS SHARE on a table, its indexes and all that inherits from it, to the end of the
 * transaction. Returns false, with some of the locks perhaps taken, when one is not free at once or
 * a table is gone.
 */
bool
try_lock_for_reading(Oid relation)
{
	check_stack_depth();
	return ConditionalLockRelationOid(relation, AccessShareLock) &&
		   SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)) &&
		   try_lock_indexes(relation) && try_lock_children(relation);
}

/* Who is in the way, for a message, after try_lock_for_reading() has failed. */
char *
reading_blockers(Oid relation)
{
	char *blockers = OidIsValid(relation) ? lock_blockers(relation, AccessShareLock) : NULL;

	return blockers ? blockers : pstrdup("another session");
}

/*
 * Lock a table of Airflow that is to be read as its owner, to the end of the transaction. Returns
 * false, with the obstacle in the caller's memory, where the lock is not free at once, or reading
 * it would run somebody else's query: it is a view, or has rules.
 */
bool
lock_to_read(Oid relation, ReadObstacle *obstacle)
{
	if (!try_lock_for_reading(relation))
	{
		obstacle->what = psprintf("is locked by %s", reading_blockers(relation));
		obstacle->hint = "Ask again later; airflow_pin.locks() shows what goes on.";
		return false;
	}
	obstacle->what = table_obstacle(relation);
	obstacle->hint = "Airflow's own table is needed, without rules: drop them.";
	return obstacle->what == NULL;
}
