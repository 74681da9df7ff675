/*
 * session_view.c
 *		pg_class as another session's transaction sees it, with what it has not committed.
 *
 * A table that is being rewritten is a new relation, whose pg_class row nobody else sees before the
 * commit. A scan with a dirty snapshot does. It takes no lock on the relation, and tells rows of
 * the transaction from those that an aborted one left behind: their inserter must be in progress.
 */
#include "session_view.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_tablespace_d.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "relation/relation_size.h"

/* Is an in-progress (sub)transaction the one of top level xid? */
static bool
is_part_of(TransactionId part, TransactionId xid)
{
	return part == xid || SubTransGetTopmostTransaction(part) == xid;
}

/* Was the row deleted, or replaced by another, by the transaction? */
static bool
is_deleted_by(TransactionId xid, HeapTupleHeader row)
{
	TransactionId deleter;

	if ((row->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask))
		return false;
	deleter = HeapTupleHeaderGetUpdateXid(row);
	return TransactionIdIsNormal(deleter) && TransactionIdIsInProgress(deleter) &&
		   is_part_of(deleter, xid);
}

/*
 * Does the transaction see the row that a scan with the dirty snapshot has just returned? Such a
 * scan leaves out what is dead for everybody, and says who is still inserting the row.
 */
static bool
is_seen_by(TransactionId xid, const SnapshotData *dirty, HeapTuple tuple)
{
	if (TransactionIdIsValid(dirty->xmin) && !is_part_of(dirty->xmin, xid))
		return false;
	return !is_deleted_by(xid, tuple->t_data);
}

/* False when the transaction sees no such relation. */
bool
class_seen_by(TransactionId xid, Oid relation, SeenClass *seen)
{
	Relation pg_class = table_open(RelationRelationId, AccessShareLock);
	bool found = false;
	SnapshotData dirty;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	InitDirtySnapshot(dirty);
	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(pg_class, ClassOidIndexId, true, &dirty, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		found = is_seen_by(xid, &dirty, tuple);
		seen->oid = relation;
		seen->name = form->relname;
		seen->kind = form->relkind;
		seen->tablespace = form->reltablespace;
		seen->file = form->relfilenode;
		seen->toast = form->reltoastrelid;
		seen->columns = form->relnatts;
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return found;
}

/* OIDs of the table's indexes. */
List *
indexes_seen_by(TransactionId xid, Oid table)
{
	Relation pg_index = table_open(IndexRelationId, AccessShareLock);
	List *indexes = NIL;
	SnapshotData dirty;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	InitDirtySnapshot(dirty);
	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(table));
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, &dirty, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (is_seen_by(xid, &dirty, tuple))
			indexes = lappend_oid(indexes, ((Form_pg_index) GETSTRUCT(tuple))->indexrelid);
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return indexes;
}

/* Bytes of the main fork of a file of this database; 0 where there is none. */
int64
seen_file_bytes(Oid tablespace, Oid file)
{
	if (!OidIsValid(file))
		return 0;
	if (!OidIsValid(tablespace))
		tablespace = MyDatabaseTableSpace;
	return fork_bytes(file_path(MyDatabaseId, tablespace, file));
}
