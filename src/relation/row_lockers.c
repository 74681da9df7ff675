/*
 * row_lockers.c
 *		Who keeps us from rows of a table.
 *
 * The server's own error about a row that stays locked names neither the row nor who holds it. Row
 * locks are not in pg_locks but in the rows: xmax is the transaction that holds one, or a multixact
 * of several. Each transaction holds a lock on its own number, which is in pg_locks.
 */
#include "row_lockers.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "relation/lock_blockers.h"
#include "util/query.h"

/* Many sessions in the way are told by a few. */
#define MAX_LOCKERS 20

static const char *const sessions_sql =
	"SELECT pg_catalog.string_agg(DISTINCT CASE WHEN l.pid IS NULL THEN 'a prepared transaction'"
	" ELSE pg_catalog.format('pid %s (%s)', l.pid,"
	" COALESCE(CASE WHEN a.application_name OPERATOR(pg_catalog.<>) '' THEN a.application_name END,"
	" a.backend_type, 'unknown')) END, ', ')"
	" FROM pg_catalog.pg_locks l"
	" LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid"
	" WHERE l.locktype OPERATOR(pg_catalog.=) 'transactionid' AND l.granted"
	" AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() IS NOT TRUE"
	" AND l.transactionid::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)";

typedef struct RowLockers
{
	Oid relation;
	Datum xids[MAX_LOCKERS]; /* as text */
	int count;
	MemoryContext caller;
	char *sessions; /* "pid 7 (scheduler)"; NULL: none any more */
} RowLockers;

static void
add_locker(RowLockers *lockers, TransactionId xid)
{
	if (lockers->count < MAX_LOCKERS && TransactionIdIsInProgress(xid) &&
		!TransactionIdIsCurrentTransactionId(xid))
		lockers->xids[lockers->count++] = CStringGetTextDatum(psprintf("%u", xid));
}

static void
add_members(RowLockers *lockers, MultiXactId multi, bool only_locked)
{
	MultiXactMember *members;
	int count = GetMultiXactIdMembers(multi, &members, false, only_locked);

	for (int i = 0; i < count; i++)
		if (members[i].status != MultiXactStatusForKeyShare)
			add_locker(lockers, members[i].xid);
}

/* KEY SHARE, which foreign keys take, is in nobody's way who changes other columns than the key. */
static void
add_lockers_of_row(RowLockers *lockers, HeapTupleHeader row)
{
	uint16 infomask = row->t_infomask;
	TransactionId xmax = HeapTupleHeaderGetRawXmax(row);

	if (infomask & HEAP_XMAX_INVALID)
		return;
	if (infomask & HEAP_XMAX_IS_MULTI)
		add_members(lockers, xmax, HEAP_XMAX_IS_LOCKED_ONLY(infomask));
	else if (!HEAP_XMAX_IS_KEYSHR_LOCKED(infomask))
		add_locker(lockers, xmax);
}

/* The rows as they are now, not as they were when the caller's statement began. */
static void
scan_rows(RowLockers *lockers)
{
	Relation table = table_open(lockers->relation, AccessShareLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan;
	HeapTuple row;

	if (table->rd_rel->relam == HEAP_TABLE_AM_OID)
	{
		scan = table_beginscan(table, snapshot, 0, NULL);
		while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
			add_lockers_of_row(lockers, row->t_data);
		table_endscan(scan);
	}
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
}

/* GuardedCall. A row may change while it is looked at, so that a multixact may prove to be none. */
static void
find_sessions(void *arg)
{
	RowLockers *lockers = arg;
	QueryArgs args = {0};
	char *sessions;

	scan_rows(lockers);
	SPI_connect();
	arg_array(&args, TEXTOID, lockers->xids, NULL, lockers->count);
	query_run(sessions_sql, &args, true, 1);
	sessions = row_text(0, 1);
	if (sessions != NULL)
		lockers->sessions = MemoryContextStrdup(lockers->caller, sessions);
	SPI_finish();
}

/*
 * Call function(arg), which waits for rows of the table for as long as its lock_timeout says. When
 * that has passed, raises 55P03 with the sessions that have rows of it, or an index, locked.
 */
void
call_for_rows(Oid relation, GuardedCall function, void *arg)
{
	ErrorData *error = guarded_call(function, arg);
	RowLockers lockers = {.relation = relation, .caller = CurrentMemoryContext};

	if (error == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	(void) guarded_look(find_sessions, &lockers);
	if (lockers.sessions == NULL)
		lockers.sessions = lock_blockers(relation, RowExclusiveLock);
	ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					errmsg("rows of table \"%s.%s\" are locked",
						   get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation)),
					errdetail("Sessions in the way: %s.",
							  lockers.sessions ? lockers.sessions : "another session"),
					errhint("Try again when their transactions have ended. Nothing was changed.")));
}
