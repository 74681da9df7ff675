/*
 * version_history.c
 *		Which revision a version table had before the one that it has.
 *
 * "airflow db downgrade" looks like a migration: the same locks, the same kind of statements, a
 * transaction for each revision. But the row that a revision has replaced stays in the file until
 * VACUUM takes it, and tells the direction.
 */
#include "version_history.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "airflow/relations.h"
#include "compat.h"
#include "plan/pending.h"
#include "relation/relation.h"

/* Alembic's are of 12, in a column of 32. */
#define REVISION_LENGTH 33

typedef struct RowPlace
{
	ItemPointerData tid;
	TransactionId inserter;
} RowPlace;

/* The only row that a snapshot sees; false when it sees none. */
static bool
find_row(Relation table, Snapshot snapshot, RowPlace *place)
{
	TableScanDesc scan = begin_table_scan(table, snapshot);
	HeapTuple tuple = heap_getnext(scan, ForwardScanDirection);
	bool found = HeapTupleIsValid(tuple);

	if (found)
	{
		place->tid = tuple->t_self;
		place->inserter = HeapTupleHeaderGetRawXmin(tuple->t_data);
	}
	table_endscan(scan);
	return found;
}

static bool
is_replaced_by(HeapTuple tuple, RowPlace *place)
{
	return !ItemPointerEquals(&tuple->t_self, &place->tid) &&
		   ItemPointerEquals(&tuple->t_data->t_ctid, &place->tid) &&
		   TransactionIdEquals(HeapTupleHeaderGetRawXmax(tuple->t_data), place->inserter);
}

/* What a TOAST table had of a dead row may be gone. */
static const char *
revision_in(HeapTuple tuple, AttrNumber column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	if (isnull || VARATT_IS_EXTERNAL(DatumGetPointer(value)))
		return NULL;
	return TextDatumGetCString(value);
}

/* The revision in the row that this one has replaced; NULL when it is not there any more. */
static const char *
replaced_revision(Relation table, RowPlace *place)
{
	AttrNumber column = get_attnum(RelationGetRelid(table), "version_num");
	const char *revision = NULL;
	TableScanDesc scan;
	HeapTuple tuple;

	if (column == InvalidAttrNumber || get_atttype(RelationGetRelid(table), column) != VARCHAROID)
		return NULL;
	scan = begin_table_scan(table, SnapshotAny);
	while (revision == NULL && HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
		if (is_replaced_by(tuple, place))
			revision = revision_in(tuple, column, RelationGetDescr(table));
	table_endscan(scan);
	return revision;
}

/* A revision that this session has seen, and the one before it. */
typedef struct SeenRevision
{
	Oid version_table;
	char revision[REVISION_LENGTH];
	char before[REVISION_LENGTH]; /* empty: not known */
} SeenRevision;

/*
 * What was at this revision before. VACUUM takes the row that tells, autovacuum too, after the
 * writes of one migration; then it is what this session has seen before.
 */
static const char *
remember(Component component, Oid version_table, const char *revision, const char *before)
{
	static SeenRevision all_seen[COMPONENT_FAB + 1];
	SeenRevision *seen = &all_seen[component];

	if (before == NULL && seen->version_table == version_table)
		before = pstrdup(strcmp(seen->revision, revision) == 0 ? seen->before : seen->revision);
	seen->version_table = version_table;
	strlcpy(seen->revision, revision, REVISION_LENGTH);
	strlcpy(seen->before, before ? before : "", REVISION_LENGTH);
	return before;
}

/* The revision in the row that was replaced; NULL when there is none, or not in a heap. */
static const char *
revision_before(Oid relation)
{
	Relation table = table_open(relation, AccessShareLock);
	const char *before = NULL;
	RowPlace place;

	if (table->rd_rel->relam == HEAP_TABLE_AM_OID && find_row(table, GetActiveSnapshot(), &place))
		before = replaced_revision(table, &place);
	table_close(table, NoLock);
	return before;
}

/*
 * The later revision that the database was at before this one, in the caller's memory; NULL when it
 * was at an earlier one, or that is not known. The version table's revision has just been read, so
 * that its lock is held.
 */
const char *
went_back_from(Component component, const char *schema, const char *revision)
{
	Oid relation = airflow_relation_oid(schema, version_table_of(component));
	const char *before;

	if (revision == NULL || !OidIsValid(relation) || !relation_is_table(relation))
		return NULL;
	before = remember(component, relation, revision, revision_before(relation));
	if (before == NULL || plan_position(component, revision) < 0 ||
		plan_position(component, before) <= plan_position(component, revision))
		return NULL;
	return before;
}
