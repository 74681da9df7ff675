/*
 * try_lock.c
 *		Lock a table for reading if that is possible at once.
 *
 * A health function that queued behind a migration's ACCESS EXCLUSIVE would hang just when it is
 * needed. So it asks first, and says who is in the way.
 */
#include "try_lock.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_index.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "util/lock_blockers.h"

/* The planner locks every index of a table that it reads. */
static bool
try_lock_indexes(Oid relation)
{
	Relation pg_index = table_open(IndexRelationId, AccessShareLock);
	bool locked = true;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (locked && HeapTupleIsValid(tuple = systable_getnext(scan)))
		locked = ConditionalLockRelationOid(((Form_pg_index) GETSTRUCT(tuple))->indexrelid,
											AccessShareLock);
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return locked;
}

/*
 * Take ACCESS SHARE on a table and its indexes, to the end of the transaction. Returns false, with
 * some of the locks perhaps taken, when one is not free at once or the table is gone.
 */
bool
try_lock_for_reading(Oid relation)
{
	return ConditionalLockRelationOid(relation, AccessShareLock) &&
		   SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)) && try_lock_indexes(relation);
}

/* Who is in the way, for a message, after try_lock_for_reading() has failed. */
char *
reading_blockers(Oid relation)
{
	char *blockers = OidIsValid(relation) ? lock_blockers(relation, AccessShareLock) : NULL;

	return blockers ? blockers : pstrdup("another session");
}
