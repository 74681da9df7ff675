/*
 * block_walk.h
 *		A walk over ranges of a table's blocks, spread over it, as far as the budget goes.
 */
#ifndef ROWS_BLOCK_WALK_H
#define ROWS_BLOCK_WALK_H

#include "postgres.h"

#include "executor/spi.h"

#include "rows/rule.h"

typedef struct BlockWalk
{
	ProbeTable *table;
	SPIPlanPtr plan; /* for one range, or for the whole table when that is one */
	int64 chunk_blocks;
	int64 chunks;
	int64 max_chunks;
	int64 step;
	int64 done;
	bool cut_short; /* the last range was not read to its end */
	TimestampTz deadline;
} BlockWalk;

extern void block_walk_begin(BlockWalk *walk, ProbeTable *table, const char *select,
							 const char *where);
extern bool block_walk_next(BlockWalk *walk);
extern bool block_walk_out_of_time(const BlockWalk *walk);
extern void block_walk_end(BlockWalk *walk);

#endif
