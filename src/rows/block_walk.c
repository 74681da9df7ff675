/*
 * block_walk.c
 *		A walk over ranges of a table's blocks, spread over it, as far as the budget goes.
 */
#include "block_walk.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/itemptr.h"

/* Few enough that reading them from a slow disk, with as many rows elsewhere, takes no second. */
#define CHUNK_ROWS 250

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

/* Which blocks are read at a time, and how many times. */
static void
divide(BlockWalk *walk)
{
	const ProbeTable *table = walk->table;
	const Probe *probe = table->probe;

	if (probe_is_limited(probe) && !table->small)
		walk->chunk_blocks =
			Max((int64) (CHUNK_ROWS / Max(table->rows / Max(table->blocks, 1), 1)), 1);
	else
		walk->chunk_blocks = Max(table->blocks, 1);
	walk->chunks = (table->blocks + walk->chunk_blocks - 1) / walk->chunk_blocks;
	walk->max_chunks = walk->chunks;
	if (probe->max_rows > 0 && table->rows > probe->max_rows)
		walk->max_chunks =
			Min(walk->chunks, Max((int64) (walk->chunks * (probe->max_rows / table->rows)), 1));
	walk->step = walk_step(Max(walk->chunks, 1));
}

/*
 * Begin to read the columns, of the rows "r" that the condition holds for. One plan serves all
 * ranges.
 */
void
block_walk_begin(BlockWalk *walk, ProbeTable *table, const char *select, const char *where)
{
	Oid types[] = {TIDOID, TIDOID};
	char *sql;

	memset(walk, 0, sizeof(*walk));
	walk->table = table;
	walk->deadline = rule_deadline(table->probe);
	divide(walk);
	sql = psprintf("SELECT %s FROM ONLY %s r WHERE %s(%s)", select, table->sql_name,
				   walk->chunks > 1 ? "r.ctid >= $1 AND r.ctid < $2 AND " : "", where);
	walk->plan = SPI_prepare(sql, walk->chunks > 1 ? lengthof(types) : 0, types);
	if (walk->plan == NULL)
		elog(ERROR, "SPI failed: %s: %s", SPI_result_code_string(SPI_result), sql);
}

/* A rule whose turn it is reads something while there is any time at all. */
bool
block_walk_out_of_time(const BlockWalk *walk)
{
	TimestampTz deadline = walk->done == 0 ? walk->table->probe->deadline : walk->deadline;

	return deadline != DT_NOEND && GetCurrentTimestamp() >= deadline;
}

static void
read_range(const BlockWalk *walk, BlockNumber from, BlockNumber to)
{
	ItemPointerData bounds[2];
	Datum values[] = {PointerGetDatum(&bounds[0]), PointerGetDatum(&bounds[1])};
	int result;

	ItemPointerSet(&bounds[0], from, 0);
	ItemPointerSet(&bounds[1], to, 0);
	result = SPI_execute_plan(walk->plan, values, NULL, true, 0);
	if (result < 0)
		elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
}

/*
 * Read the next range of blocks, the last of the table first: the rows are in SPI_tuptable, to be
 * freed by the caller. False when there is none, or the budget is used up.
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
	read_range(walk, chunk * walk->chunk_blocks, (chunk + 1) * walk->chunk_blocks);
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
