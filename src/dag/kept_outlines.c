/*
 * kept_outlines.c
 *		The outlines of serialized DAGs that the transaction has read last.
 *
 * A run that is rewritten needs those of two versions, to decide about it and again for its task
 * instances; and the runs of a DAG often come many in a transaction. Made of text, an outline costs
 * more than all that is done with it.
 */
#include "kept_outlines.h"

#include "utils/memutils.h"

#define KEPT_OUTLINES 2 /* "oldest" below is the other one */
/* Larger ones are not kept. */
#define KEPT_BYTES (8 * 1024 * 1024)

typedef struct KeptOutline
{
	DagRow row;
	Jsonb *outline; /* NULL: none */
} KeptOutline;

static KeptOutline kept[KEPT_OUTLINES];
static int last_used;
static MemoryContext context; /* ends with the transaction */

static void
forget_all(void *arg pg_attribute_unused())
{
	memset(kept, 0, sizeof(kept));
	context = NULL;
}

static void
make_context(void)
{
	MemoryContext made = AllocSetContextCreate(
		TopTransactionContext, "airflow_pin outlines of DAGs", ALLOCSET_SMALL_SIZES);
	MemoryContextCallback *callback = MemoryContextAllocZero(made, sizeof(MemoryContextCallback));

	callback->func = forget_all;
	MemoryContextRegisterResetCallback(made, callback);
	context = made;
}

static bool
is_row(const DagRow *a, const DagRow *b)
{
	if (a->table != b->table || a->xmin != b->xmin)
		return false;
	return ItemPointerEquals((ItemPointer) &a->ctid, (ItemPointer) &b->ctid) &&
		   strcmp(a->hash, b->hash) == 0;
}

/* The outline of that row, or NULL. It is kept until those of two other rows have been. */
Jsonb *
kept_outline(const DagRow *row)
{
	for (int i = 0; i < KEPT_OUTLINES; i++)
		if (kept[i].outline != NULL && is_row(&kept[i].row, row))
		{
			last_used = i;
			return kept[i].outline;
		}
	return NULL;
}

/*
 * Keep a copy of the outline, in place of the one that was asked for longest ago, and return it; one
 * that is too large is returned as it is.
 */
Jsonb *
keep_outline(const DagRow *row, Jsonb *outline)
{
	int oldest = (last_used + 1) % KEPT_OUTLINES;
	KeptOutline *place = &kept[oldest];
	Jsonb *copy;

	if (VARSIZE(outline) > KEPT_BYTES)
		return outline;
	if (context == NULL)
		make_context();
	if (place->outline != NULL)
	{
		pfree(place->outline);
		pfree(place->row.hash);
		place->outline = NULL;
	}
	copy = MemoryContextAlloc(context, VARSIZE(outline));
	memcpy(copy, outline, VARSIZE(outline));
	place->row = *row;
	place->row.hash = MemoryContextStrdup(context, row->hash);
	place->outline = copy;
	last_used = oldest;
	return copy;
}
