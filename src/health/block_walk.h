/*
 * block_walk.h
 *		A walk over ranges of a table's blocks, spread over it, as far as the budget goes.
 */
#ifndef HEALTH_BLOCK_WALK_H
#define HEALTH_BLOCK_WALK_H

#include "health/probe.h"

typedef struct BlockWalk
{
	ProbeTable *table;
	int64 chunk_blocks;
	int64 chunks;
	int64 max_chunks;
	int64 step;
	int64 done;
	bool cut_short; /* the last range was not read to its end */
	TimestampTz deadline;
	char range[64]; /* condition for the present range; empty: the whole table */
} BlockWalk;

extern void block_walk_begin(BlockWalk *walk, ProbeTable *table);
extern bool block_walk_next(BlockWalk *walk);
extern bool block_walk_out_of_time(const BlockWalk *walk);
extern void block_walk_end(BlockWalk *walk);

#endif
