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
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "util/query.h"

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

/*
 * Who holds, or waits before us for, ACCESS EXCLUSIVE on a table or an index of it: "pid 7
 * (migration)". To be called between SPI_connect() and SPI_finish().
 */
char *
reading_blockers(Oid relation)
{
	QueryArgs args = {0};
	char *blockers;

	arg_datum(&args, OIDOID, ObjectIdGetDatum(relation));
	query_run("SELECT pg_catalog.string_agg(DISTINCT CASE WHEN l.pid IS NULL"
			  " THEN 'a prepared transaction' ELSE pg_catalog.format('pid %s (%s)', l.pid,"
			  " COALESCE(NULLIF(a.application_name, ''), a.backend_type, 'unknown')) END, ', ')"
			  " FROM pg_catalog.pg_locks l"
			  " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid"
			  " WHERE l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'"
			  " AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d"
			  " WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
			  " AND (l.relation OPERATOR(pg_catalog.=) $1 OR EXISTS (SELECT FROM"
			  " pg_catalog.pg_index i WHERE i.indexrelid OPERATOR(pg_catalog.=) l.relation"
			  " AND i.indrelid OPERATOR(pg_catalog.=) $1))",
			  &args, true, 1);
	blockers = row_text(0, 1);
	return blockers ? blockers : pstrdup("a session that is gone now");
}
