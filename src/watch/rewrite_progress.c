/*
 * rewrite_progress.c
 *		How far a session is with writing a table anew: ALTER TABLE, CLUSTER, VACUUM FULL.
 *
 * PostgreSQL copies the rows into a new relation named pg_temp_<OID of the table>, lets the two
 * exchange their files, builds the indexes anew and drops the new relation, which now has the old
 * file. The file of a new relation has the number that is its OID, and numbers grow.
 */
#include "rewrite_progress.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "utils/fmgrprotos.h"

#include "plan/plan_cost.h"
#include "relation/relation_size.h"
#include "watch/session_view.h"

#define NEW_HEAP_PREFIX "pg_temp_"

/* Of the time that is planned for an index: the table is in the cache, having just been written. */
#define REBUILD_PART 0.75

/* Was the file made after the other one? Numbers come from a counter that wraps around. */
static bool
is_newer_file(Oid file, Oid than)
{
	return (int32) (file - than) > 0;
}

/* The table that the relation is a new heap of. */
static bool
is_new_heap(const SeenClass *relation, Oid *table)
{
	const char *name = NameStr(relation->name);
	char *end;

	if (relation->kind != RELKIND_RELATION ||
		strncmp(name, NEW_HEAP_PREFIX, strlen(NEW_HEAP_PREFIX)) != 0)
		return false;
	*table = (Oid) strtoul(name + strlen(NEW_HEAP_PREFIX), &end, 10);
	return OidIsValid(*table) && *end == '\0';
}

/* The part of the table that is not dead rows, which a copy leaves out. */
static double
live_part(Oid table)
{
	Datum oid = ObjectIdGetDatum(table);
	double live = DatumGetInt64(DirectFunctionCall1(pg_stat_get_live_tuples, oid));
	double dead = DatumGetInt64(DirectFunctionCall1(pg_stat_get_dead_tuples, oid));

	return live > 0 ? live / (live + dead) : 1;
}

/*
 * The TOAST table that was made with the new heap is named after it. Its OID is the number of its
 * file, too, whether the tables then exchange TOAST tables or only their files.
 */
static void
add_toast(TransactionId xid, const SeenClass *table, const SeenClass *new_heap, Rewrite *rewrite)
{
	const Oid candidates[] = {table->toast, new_heap->toast};
	char new_name[NAMEDATALEN];

	snprintf(new_name, sizeof(new_name), "pg_toast_%u", new_heap->oid);
	for (int i = 0; i < (int) lengthof(candidates); i++)
	{
		SeenClass toast;

		if (!OidIsValid(candidates[i]) || !class_seen_by(xid, candidates[i], &toast))
			continue;
		if (strcmp(NameStr(toast.name), new_name) == 0)
			rewrite->heap_bytes += seen_file_bytes(toast.tablespace, toast.oid);
		else
			rewrite->expected_heap_bytes += seen_file_bytes(toast.tablespace, toast.file);
	}
}

/* Indexes that this rewrite has made count; the old ones say how large they will be. */
static void
add_indexes(TransactionId xid, Rewrite *rewrite)
{
	RelationSize committed = relation_size(rewrite->table);
	int columns = 0;
	ListCell *cell;

	foreach (cell, indexes_seen_by(xid, rewrite->table))
	{
		SeenClass index;

		if (!class_seen_by(xid, lfirst_oid(cell), &index))
			continue;
		columns += index.columns;
		if (is_newer_file(index.file, rewrite->new_heap))
			rewrite->index_bytes += seen_file_bytes(index.tablespace, index.file);
	}
	rewrite->index_seconds =
		REBUILD_PART * plan_index_seconds(Max(committed.estimated_rows, 0), columns);
	rewrite->expected_index_bytes = Max(committed.indexes, rewrite->index_bytes);
}

static void
measure(TransactionId xid, const SeenClass *table, const SeenClass *new_heap, Rewrite *rewrite)
{
	const SeenClass *from;
	const SeenClass *to;

	rewrite->table = table->oid;
	rewrite->new_heap = new_heap->oid;
	rewrite->copied = new_heap->file != new_heap->oid;
	from = rewrite->copied ? new_heap : table;
	to = rewrite->copied ? table : new_heap;
	rewrite->heap_bytes = seen_file_bytes(to->tablespace, new_heap->oid);
	rewrite->expected_heap_bytes =
		(int64) (seen_file_bytes(from->tablespace, from->file) * live_part(table->oid));
	add_toast(xid, table, new_heap, rewrite);
	if (rewrite->copied)
		rewrite->expected_heap_bytes = rewrite->heap_bytes;
	rewrite->expected_heap_bytes = Max(rewrite->expected_heap_bytes, rewrite->heap_bytes);
	add_indexes(xid, rewrite);
}

/*
 * The rewrite that the transaction is at, if any; "locked" are the relations that it holds ACCESS
 * EXCLUSIVE on, which every new heap is among.
 */
bool
find_rewrite(TransactionId xid, List *locked, Rewrite *rewrite)
{
	ListCell *cell;

	memset(rewrite, 0, sizeof(*rewrite));
	if (!TransactionIdIsValid(xid))
		return false;
	foreach (cell, locked)
	{
		SeenClass new_heap;
		SeenClass table;
		Oid oid;

		if (class_seen_by(xid, lfirst_oid(cell), &new_heap) && is_new_heap(&new_heap, &oid) &&
			class_seen_by(xid, oid, &table))
		{
			measure(xid, &table, &new_heap, rewrite);
			return true;
		}
	}
	return false;
}
