/*
 * block_walk.c
 *		A walk over ranges of a table's blocks, spread over it, as far as the budget goes.
 */
#include "block_walk.h"

#include "miscadmin.h"

#define CHUNK_ROWS 2000

/* Until when this rule may run: an equal share of the time that is left. */
static TimestampTz
rule_deadline(const Probe *probe)
{
	TimestampTz now = GetCurrentTimestamp();

	if (probe->deadline == DT_NOEND)
		return DT_NOEND;
	return now + Max(probe->deadline - now, 0) / Max(probe->rules_left, 1);
}

/* A step through n chunks that meets all of them, and early on those far apart. */
static int64
walk_step(int64 n)
{
	int64 step = Max((int64) (n * 0.618), 1);

	for (;; step++)
	{
		int64 a = n;
		int64 b = step;

		while (b != 0)
		{
			int64 rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			return step;
	}
}

void
block_walk_begin(BlockWalk *walk, ProbeTable *table)
{
	const Probe *probe = table->probe;

	memset(walk, 0, sizeof(*walk));
	walk->table = table;
	walk->deadline = rule_deadline(probe);
	if (!probe_is_limited(probe))
		walk->chunk_blocks = Max(table->blocks, 1);
	else
		walk->chunk_blocks =
			Max((int64) (CHUNK_ROWS / Max(table->rows / Max(table->blocks, 1), 1)), 1);
	walk->chunks = (table->blocks + walk->chunk_blocks - 1) / walk->chunk_blocks;
	walk->max_chunks = walk->chunks;
	if (probe->max_rows > 0 && table->rows > probe->max_rows)
		walk->max_chunks =
			Min(walk->chunks, Max((int64) (walk->chunks * (probe->max_rows / table->rows)), 1));
	walk->step = walk_step(Max(walk->chunks, 1));
}

/* A rule whose turn it is reads something while there is any time at all. */
bool
block_walk_out_of_time(const BlockWalk *walk)
{
	TimestampTz deadline = walk->done == 0 ? walk->table->probe->deadline : walk->deadline;

	return deadline != DT_NOEND && GetCurrentTimestamp() >= deadline;
}

/*
 * The next range of blocks, the last of the table first; false when there is none, or the budget is
 * used up.
 */
bool
block_walk_next(BlockWalk *walk)
{
	int64 chunk;

	CHECK_FOR_INTERRUPTS();
	if (walk->done >= walk->max_chunks || block_walk_out_of_time(walk))
		return false;
	chunk = (walk->chunks - 1 + walk->done * walk->step) % walk->chunks;
	walk->done++;
	walk->range[0] = '\0';
	if (walk->chunks > 1)
		snprintf(walk->range, sizeof(walk->range),
				 "r.ctid >= '(" INT64_FORMAT ",0)' AND r.ctid < '(" INT64_FORMAT ",0)' AND ",
				 chunk * walk->chunk_blocks, (chunk + 1) * walk->chunk_blocks);
	return true;
}

/* Note which part of the table was read. */
void
block_walk_end(BlockWalk *walk)
{
	double read = walk->cut_short ? walk->done - 0.5 : walk->done;

	if (read < walk->chunks)
		walk->table->result.fraction = read / walk->chunks;
}
