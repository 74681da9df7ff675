/*
 * operation_progress.c
 *		How far a session is with what it does to a table.
 *
 * For CREATE INDEX and VACUUM the server tells it. For a rewrite and an UPDATE of all rows it does
 * not, but their files grow. Rates and ends come from what previous calls in this session saw.
 */
#include "operation_progress.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "watch/rewrite_progress.h"
#include "watch/session_view.h"

/* A transaction that was seen this early had not changed its table yet. */
#define EARLY_SECONDS 1.0

/* How long an expected share of a CPU outweighs what is seen. */
#define SHARE_SECONDS 5.0

/* What is measured. The indexes of a rewrite are another kind of bytes: they take longer. */
typedef struct Measure
{
	Operation operation;
	int64 done;
	int64 total;
	bool indexing;	  /* a rewrite has come to its indexes */
	int64 index_done; /* of these bytes */
	int64 index_total;
	double index_seconds; /* that all indexes are expected to take */
} Measure;

/* A text that is not visible is like any other. */
static uint32
hash_text(const char *text)
{
	if (text == NULL)
		return 0;
	return DatumGetUInt32(hash_any((const unsigned char *) text, strlen(text)));
}

static bool
is_same_operation(const Operation *one, const Operation *other)
{
	return one->xid == other->xid && one->relation == other->relation && one->what == other->what;
}

/*
 * The part of a CPU that the session got since it was at "cpu_then"; 1 where that cannot be seen.
 * "expected" counts as if it had been seen for some seconds, so that a short time does not mislead.
 */
static double
cpu_share(const WatchedSession *watched, TimestampTz since, double cpu_then, double expected,
		  TimestampTz now)
{
	double elapsed = seconds_between(since, now);
	double used = watched->cpu_total - cpu_then;
	double share = (used + expected * SHARE_SECONDS) / (elapsed + SHARE_SECONDS);

	return watched->counters.visible ? Max(share, 0.05) : 1;
}

/*
 * What it will get for the indexes. Sorting waits for disks less than copying does, and has
 * parallel workers where a CPU is free. Fitted to rewrites of 1.4 GB on two cores: those that got a
 * fifth of a CPU for copying then got 0.4, and those that got nearly all of one got 1.4.
 */
static double
expected_share(const WatchedSession *watched, TimestampTz now)
{
	double copying = cpu_share(watched, watched->begun_at, watched->begun_cpu, 0.5, now);

	return 1.5 * pow(Min(copying, 1), 0.75);
}

/*
 * While an index is sorted its file does not grow. But sorting needs the CPU time that is planned
 * for it, and the session's share of a CPU says how long that takes.
 */
static double
index_seconds_left(const Measure *measure, const WatchedSession *watched, TimestampTz now)
{
	double share = cpu_share(watched, watched->indexing_at, watched->indexing_cpu,
							 watched->indexing_share, now);
	double used = seconds_between(watched->indexing_at, now) * share;
	double done = (double) measure->index_done / Max(measure->index_total, 1);
	double left = measure->index_seconds * (1 - done);

	if (used < measure->index_seconds)
		left = Min(left, measure->index_seconds - used);
	return left / share;
}

/* By all that this session has seen of the operation, which is steadier than the last rate. */
static double
seconds_left(const Measure *measure, const WatchedSession *watched, TimestampTz now)
{
	double seconds = seconds_between(watched->begun_at, now);
	double bytes = measure->done - watched->begun_bytes;
	double bytes_left =
		(measure->total - measure->index_total) - (measure->done - measure->index_done);

	if (measure->indexing)
		return index_seconds_left(measure, watched, now);
	if (bytes <= 0 || seconds <= 0)
		return -1;
	return seconds / bytes * bytes_left + measure->index_seconds / expected_share(watched, now);
}

/* A byte count that went back is that of another file, and begins anew. */
static void
measure_rates(const Measure *measure, WatchedSession *watched, TimestampTz now,
			  OperationProgress *progress)
{
	double seconds = seconds_between(watched->seen_at, now);
	bool goes_on = is_same_operation(&measure->operation, &watched->operation) &&
				   measure->done >= watched->done_bytes;

	progress->relation = measure->operation.relation;
	progress->done_bytes = measure->done;
	progress->total_bytes = measure->total;
	if (!goes_on)
	{
		watched->operation = measure->operation;
		watched->begun_at = now;
		watched->begun_bytes = measure->done;
		watched->begun_cpu = watched->cpu_total;
		watched->indexing_at = 0;
	}
	if (measure->indexing && watched->indexing_at == 0)
	{
		watched->indexing_at = now;
		watched->indexing_cpu = watched->cpu_total;
		watched->indexing_share = expected_share(watched, now);
	}
	if (goes_on)
	{
		progress->seconds_left = seconds_left(measure, watched, now);
		if (seconds > 0)
			progress->bytes_per_second = (measure->done - watched->done_bytes) / seconds;
	}
	watched->done_bytes = measure->done;
}

static bool
rewrite_progress(const MigratingSession *session, Measure *measure, OperationProgress *progress)
{
	Rewrite rewrite;

	if (!find_rewrite(session->xid, session->locked, &rewrite))
		return false;
	progress->phase =
		rewrite.copied ? "rewriting table: rebuilding indexes" : "rewriting table: copying rows";
	measure->operation.relation = rewrite.table;
	measure->operation.what = rewrite.new_heap;
	measure->done = rewrite.heap_bytes + rewrite.index_bytes;
	measure->total = rewrite.expected_heap_bytes + rewrite.expected_index_bytes;
	measure->indexing = rewrite.copied;
	measure->index_done = rewrite.index_bytes;
	measure->index_total = rewrite.expected_index_bytes;
	measure->index_seconds = rewrite.index_seconds;
	return true;
}

/* Bytes of a table's file as the session sees it. */
static int64
table_bytes(const MigratingSession *session, Oid table)
{
	SeenClass seen;

	return class_seen_by(session->xid, table, &seen) ? seen_file_bytes(seen.tablespace, seen.file)
													 : 0;
}

/*
 * An index is half done when the table is read, which the server then counts no longer. The tuples
 * that follow count as bytes of the table.
 */
static void
index_progress(const MigratingSession *session, Measure *measure)
{
	const ServerProgress *server = &session->progress;
	int64 bytes = table_bytes(session, server->relation);

	measure->operation.what = hash_text(session->query);
	measure->done = strstr(server->phase, "scanning table") ? server->blocks_done * BLCKSZ : bytes;
	if (strstr(server->phase, "building index") == NULL)
		measure->done = 0;
	if (server->tuples_total > 0)
		measure->done += (int64) ((double) bytes * server->tuples_done / server->tuples_total);
	measure->total = Max(2 * bytes, measure->done);
}

static bool
server_progress(const MigratingSession *session, Measure *measure, OperationProgress *progress)
{
	const ServerProgress *server = &session->progress;

	if (server->phase == NULL)
		return false;
	progress->phase = server->phase;
	measure->operation.relation = server->relation;
	if (server->builds_index)
		index_progress(session, measure);
	else
	{
		measure->operation.what = hash_text(server->phase);
		measure->done = server->blocks_done * BLCKSZ;
		measure->total = server->blocks_total * BLCKSZ;
	}
	return measure->total > 0;
}

/* Size of the table as of its last VACUUM or ANALYZE. */
static int64
counted_bytes(Oid table)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	int64 bytes;

	if (!HeapTupleIsValid(tuple))
		return 0;
	bytes = (int64) ((Form_pg_class) GETSTRUCT(tuple))->relpages * BLCKSZ;
	ReleaseSysCache(tuple);
	return bytes;
}

/*
 * Size of the table before the transaction: what this session saw when it had just begun, else what
 * the catalog says.
 */
static int64
bytes_before(const MigratingSession *session, Oid table, int64 bytes, WatchedSession *watched,
			 TimestampTz now)
{
	int64 counted;

	if (watched->base_xid == session->xid && watched->base_relation == table)
		return watched->base_bytes;
	counted = counted_bytes(table);
	watched->base_xid = session->xid;
	watched->base_relation = table;
	watched->base_bytes =
		counted > 0 && counted < bytes && seconds_between(session->xact_start, now) > EARLY_SECONDS
			? counted
			: bytes;
	return watched->base_bytes;
}

/*
 * An UPDATE of all rows writes each anew, and the table doubles; a second one adds as much again.
 * What is dead by then is not, for the others, before the commit.
 */
static bool
update_progress(const MigratingSession *session, const Statement *statement,
				const CurrentRevision *current, Oid namespace, WatchedSession *watched,
				TimestampTz now, Measure *measure, OperationProgress *progress)
{
	Oid table = get_relname_relid(statement->relation, namespace);
	bool all_rows = current->step != NULL
						? strncmp(current->step->operation, "UPDATE every row", 16) == 0
						: !statement->has_where;
	int64 bytes = OidIsValid(table) ? table_bytes(session, table) : 0;
	int64 base;

	if (statement->kind != STATEMENT_UPDATE || !all_rows || !TransactionIdIsValid(session->xid) ||
		bytes == 0)
		return false;
	base = bytes_before(session, table, bytes, watched, now);
	progress->phase = statement->column[0] != '\0'
						  ? psprintf("updating rows: SET %s", statement->column)
						  : "updating rows";
	measure->operation.relation = table;
	measure->operation.what = hash_text(statement->column);
	measure->done = Max(bytes - base * (1 + current->updates_before), 0);
	measure->total = Max(base, measure->done);
	return true;
}

/*
 * Fill in what can be measured; "current" says at which step of the plan the session is, and
 * "namespace" is that of Airflow's tables.
 */
void
operation_progress(const MigratingSession *session, const Statement *statement,
				   const CurrentRevision *current, Oid namespace, WatchedSession *watched,
				   TimestampTz now, OperationProgress *progress)
{
	Measure measure = {.operation.xid = session->xid};

	memset(progress, 0, sizeof(*progress));
	progress->done_bytes = -1;
	progress->total_bytes = -1;
	progress->bytes_per_second = -1;
	progress->seconds_left = -1;
	if (rewrite_progress(session, &measure, progress) ||
		server_progress(session, &measure, progress) ||
		update_progress(session, statement, current, namespace, watched, now, &measure, progress))
		measure_rates(&measure, watched, now, progress);
}
