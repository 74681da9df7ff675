/*
 * plan_cost.c
 *		How long a step of a migration takes, from the size of its table.
 *
 * The rates are fitted to the statements of real migrations 2.11.2 to 3.3.2 of the benchmark
 * data set (tools/migration-plan/calibrate) on two cores, with everything in the operating
 * system's cache: 139 s on an idle machine, 186 s on a busy one. Assumed rather than measured
 * are those for INSERT and DELETE, whose tables are small there, and for what is not in the
 * cache. Other machines differ: every estimate is a range.
 */
#include "plan_cost.h"

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define MICROSECOND 1e-6
#define NANOSECOND 1e-9

/* What is likely: this much less, or this much more. */
#define LOW_FACTOR 0.6
#define HIGH_FACTOR 1.6

/* A statement that changes the catalog only, with its share of the revision's own work. */
#define CATALOG_LOW (2 * 1000 * MICROSECOND)
#define CATALOG_HIGH (10 * 1000 * MICROSECOND)

#define SCAN_PER_BYTE (0.8 * NANOSECOND)
#define INDEX_PER_ROW_AND_COLUMN (0.4 * MICROSECOND)
#define FOREIGN_KEY_PER_BYTE (2.1 * NANOSECOND)
#define REFERENCED_PER_ROW (0.5 * MICROSECOND)
#define REFERENCED_LOOKUP_PER_ROW (13 * MICROSECOND)
#define REWRITE_PER_BYTE (5 * NANOSECOND)
#define INSERT_PER_ROW (10 * MICROSECOND)
#define DELETE_PER_ROW (5 * MICROSECOND)
#define UPDATE_PER_ROW (9 * MICROSECOND)
#define JOIN_PER_ROW (3.4 * MICROSECOND)
#define JOIN_LOOKUP_PER_ROW (35 * MICROSECOND)
#define UPDATE_BATCHES_PER_ROW (38 * MICROSECOND)
#define PASS_BY_PER_BYTE (0.15 * NANOSECOND)
#define CLIENT_PER_ROW (145 * MICROSECOND)
/* Seen: 61 s for 100,000 runs with one and the same conf, 76 s with different ones, pages included. */
#define UNPICKLED_PER_ROW (630 * MICROSECOND)
#define PAGE_PER_ROW (0.2 * MICROSECOND)

/* Not from the cache: sequential reads of 150 MB/s, and the rule of thumb of 2 h for 100 GB. */
#define COLD_SCAN_PER_BYTE (6.7 * NANOSECOND)
#define COLD_REWRITE_PER_BYTE (72 * NANOSECOND)

/* [database] migration_batch_size of Airflow, unless changed; and the page of revision 0055. */
#define BATCH_ROWS 10000
#define PAGE_ROWS 1000

static Estimate
around(double seconds)
{
	Estimate estimate = {LOW_FACTOR * seconds + CATALOG_LOW, HIGH_FACTOR * seconds + CATALOG_HIGH};

	return estimate;
}

/* A table larger than that is read from disk. */
static bool
exceeds_cache(double bytes)
{
	return bytes > (double) effective_cache_size * BLCKSZ;
}

static Estimate
scan_cost(const TableSize *table)
{
	Estimate estimate = around(table->heap_bytes * SCAN_PER_BYTE);

	if (exceeds_cache(table->heap_bytes))
		estimate.high += table->heap_bytes * COLD_SCAN_PER_BYTE;
	return estimate;
}

static Estimate
index_cost(const TableSize *table, int index_columns)
{
	Estimate estimate = around(plan_index_seconds(table->rows, index_columns));
	Estimate scan = scan_cost(table);

	estimate.low += scan.low;
	estimate.high += scan.high;
	return estimate;
}

/* What it takes to sort and write indexes with that many key columns together. */
double
plan_index_seconds(double rows, int index_columns)
{
	return rows * index_columns * INDEX_PER_ROW_AND_COLUMN;
}

static Estimate
rewrite_cost(const TableSize *table, int index_columns)
{
	Estimate estimate = around(table->heap_bytes * REWRITE_PER_BYTE +
							   plan_index_seconds(table->rows, index_columns));

	if (exceeds_cache(table->total_bytes))
		estimate.high += table->total_bytes * COLD_REWRITE_PER_BYTE;
	return estimate;
}

/*
 * Each batch looks for rows not yet updated, by a sequential scan with a LIMIT. In a large table it
 * goes on where the last one ended (synchronize_seqscans, from a quarter of shared_buffers on); in
 * a smaller one it starts at the first page, and passes by half of the table on average.
 */
static Estimate
batches_cost(const TableSize *table)
{
	double seconds = table->rows * UPDATE_BATCHES_PER_ROW;

	if (table->heap_bytes <= NBuffers / 4.0 * BLCKSZ)
		seconds += table->rows / BATCH_ROWS / 2 * table->heap_bytes * PASS_BY_PER_BYTE;
	return around(seconds);
}

/*
 * The part of dag_run's rows whose conf revision 0055 unpickles: neither NULL nor the pickle that it
 * takes for an empty one, whatever else is frequent. From the planner's statistics; without them
 * anything is possible.
 */
static void
rows_with_conf(Oid relation, double *low, double *high)
{
	static const char empty_conf[] = {(char) 0x80, 0x05, '}', (char) 0x94, '.'};
	AttrNumber column = get_attnum(relation, "conf");
	HeapTuple tuple;
	AttStatsSlot slot;

	*low = 0;
	*high = 1;
	if (column == InvalidAttrNumber || get_atttype(relation, column) != BYTEAOID)
		return;
	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation), Int16GetDatum(column),
							BoolGetDatum(false));
	if (!HeapTupleIsValid(tuple))
		return;
	*high = 1 - ((Form_pg_statistic) GETSTRUCT(tuple))->stanullfrac;
	if (get_attstatsslot(&slot, tuple, STATISTIC_KIND_MCV, InvalidOid,
						 ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS))
	{
		for (int i = 0; i < slot.nvalues; i++)
		{
			const bytea *conf = DatumGetByteaPP(slot.values[i]);

			if (VARSIZE_ANY_EXHDR(conf) == sizeof(empty_conf) &&
				memcmp(VARDATA_ANY(conf), empty_conf, sizeof(empty_conf)) == 0)
				*high = Max(*high - slot.numbers[i], 0);
		}
		free_attstatsslot(&slot);
	}
	*low = *high;
	ReleaseSysCache(tuple);
}

/* "rows" of the table's are read in pages, found by OFFSET, so each reads and sorts all rows anew. */
static double
pages_seconds(const TableSize *table, double rows)
{
	return rows * UNPICKLED_PER_ROW + (1 + rows / PAGE_ROWS) * table->rows * PAGE_PER_ROW;
}

static Estimate
pages_cost(const TableSize *table)
{
	double low;
	double high;

	rows_with_conf(table->relation, &low, &high);
	return (Estimate){around(pages_seconds(table, low * table->rows)).low,
					  around(pages_seconds(table, high * table->rows)).high};
}

/*
 * From-to for one step on a table of that size. "statement" is the table that the statement is
 * about, which the costs of being joined or looked up for it depend on. "cost" may differ from the
 * step's own class.
 */
Estimate
plan_cost(const PlanEntry *step, StepCost cost, const TableSize *table, const TableSize *statement)
{
	switch (cost)
	{
		case COST_CATALOG:
			break;
		case COST_SCAN:
			return scan_cost(table);
		case COST_INDEX:
			return index_cost(table, step->index_columns);
		case COST_FOREIGN_KEY:
			return around(table->heap_bytes * FOREIGN_KEY_PER_BYTE);
		case COST_REFERENCED:
			return around(
				Min(table->rows * REFERENCED_PER_ROW, statement->rows * REFERENCED_LOOKUP_PER_ROW));
		case COST_REWRITE:
			return rewrite_cost(table, step->index_columns);
		case COST_INSERT:
			return around(table->rows * INSERT_PER_ROW);
		case COST_DELETE:
			return around(table->rows * DELETE_PER_ROW);
		case COST_UPDATE:
			return around(table->rows * UPDATE_PER_ROW);
		case COST_JOIN:
			return around(Min(table->rows * JOIN_PER_ROW, statement->rows * JOIN_LOOKUP_PER_ROW));
		case COST_UPDATE_BATCHES:
			return batches_cost(table);
		case COST_CLIENT_ROWS:
			return around(table->rows * CLIENT_PER_ROW);
		case COST_CLIENT_PAGES:
			return pages_cost(table);
	}
	return around(0);
}
