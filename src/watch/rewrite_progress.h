/*
 * rewrite_progress.h
 *		How far a session is with writing a table anew.
 */
#ifndef WATCH_REWRITE_PROGRESS_H
#define WATCH_REWRITE_PROGRESS_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* A table that is being written anew; bytes of the heap are with its TOAST table. */
typedef struct Rewrite
{
	Oid table;
	Oid new_heap;
	bool copied; /* the new heap is complete, and its indexes are being built */
	int64 heap_bytes;
	int64 expected_heap_bytes;
	int64 index_bytes;
	int64 expected_index_bytes;
	double index_seconds; /* that all indexes are expected to take */
} Rewrite;

extern bool find_rewrite(TransactionId xid, List *locked, Rewrite *rewrite);

#endif
