/*
 * locks.c
 *		locks(): who holds and who waits for locks on Airflow's tables, as a tree.
 *
 * All of it comes from the lock manager and from pg_stat_activity, read with the caller's own
 * rights, so that nobody sees a query text that the server would hide from him.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "airflow/relations.h"
#include "airflow/schema.h"
#include "relation/lock_blockers.h"
#include "util/query.h"
#include "util/result_rows.h"

/* Columns of locks_sql; the first ones are those of the result. */
enum LockColumn
{
	COLUMN_PID = 1,
	COLUMN_BLOCKED_BY = 12,
	COLUMN_QUERY,
	COLUMN_CANCEL,
	COLUMN_CANCEL_PREPARED
};

#define RESULT_COLUMNS 16

typedef enum Visit
{
	VISIT_NONE,
	VISIT_GOING_ON,
	VISIT_DONE
} Visit;

/* A session that holds or waits; prepared transactions have none. */
typedef struct LockSession
{
	int pid;
	List *blocked_by;			 /* pids; 0: a prepared transaction */
	const char *cancel;			 /* statement that cancels or ends this session, or NULL */
	const char *cancel_prepared; /* those that end the prepared transactions it waits for */
	Visit visit;
	int depth; /* how many sessions are between this one and its root; 0: does not wait */
	int root;  /* pid; 0: a prepared transaction; -1: it does not wait */
	const char *cancel_root; /* statement that ends the root */
} LockSession;

/* A row of the result, and its place. */
typedef struct LockRow
{
	uint64 row;
	LockSession *session; /* NULL: a prepared transaction */
	int tree;			  /* pid of the root */
	int depth;
} LockRow;

PG_FUNCTION_INFO_V1(airflow_pin_locks);

/*
 * $1 and $2: the tables and their names. A lock on an index or a TOAST table counts as one on its
 * table. A prepared transaction's locks have no pid; its transactionid lock says which one it is.
 * "sessions" are those with such a lock, and whoever blocks one of them, directly or not. On a
 * standby it is the startup process that holds what the primary locked; it cannot be cancelled.
 */
static const char *const locks_sql =
	"WITH RECURSIVE tables AS (SELECT * FROM unnest($1, $2) AS t (oid, name)),"
	" with_toast AS (SELECT oid, name FROM tables"
	"  UNION ALL SELECT c.reltoastrelid, t.name FROM tables t JOIN pg_class c USING (oid)"
	"  WHERE c.reltoastrelid <> 0),"
	" parts AS (SELECT oid, name FROM with_toast"
	"  UNION ALL SELECT i.indexrelid, t.name FROM with_toast t JOIN pg_index i ON "
	"   i.indrelid = t.oid),"
	" all_locks AS MATERIALIZED (SELECT * FROM pg_locks),"
	" blocked AS MATERIALIZED (SELECT w.pid, " BLOCKING_PIDS " AS blocked_by"
	"  FROM (SELECT DISTINCT pid, mode, database, relation FROM all_locks"
	"   WHERE NOT granted) AS w),"
	" on_tables AS (SELECT DISTINCT l.pid, p.name, l.mode, l.granted,"
	"   CASE WHEN l.pid IS NULL THEN l.virtualtransaction END AS vxid"
	"  FROM all_locks l JOIN parts p ON p.oid = l.relation"
	"  WHERE l.locktype IN ('relation', 'tuple', 'page', 'extend')"
	"  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),"
	" sessions AS (SELECT pid FROM on_tables WHERE pid IS NOT NULL"
	"  UNION SELECT unnest(b.blocked_by) FROM sessions JOIN blocked b USING (pid)),"
	" prepared AS (SELECT l.virtualtransaction AS vxid, x.gid, x.prepared, x.owner,"
	"   format('ROLLBACK PREPARED %L', x.gid) AS cancel"
	"  FROM all_locks l JOIN pg_prepared_xacts x ON x.transaction = l.transactionid"
	"  WHERE l.pid IS NULL AND l.granted AND l.locktype = 'transactionid'"
	"  AND x.database = current_database()),"
	" prepared_blockers AS (SELECT pid, string_agg(cancel, '; ' ORDER BY prepared) AS cancel"
	"  FROM (SELECT DISTINCT w.pid, p.cancel, p.prepared FROM all_locks w"
	"   JOIN all_locks h ON h.pid IS NULL AND h.granted AND (h.relation = w.relation"
	"    AND h.database = w.database OR h.transactionid = w.transactionid)"
	"   JOIN prepared p ON p.vxid = h.virtualtransaction"
	"   WHERE NOT w.granted) AS waiting GROUP BY pid)"
	" SELECT s.pid, a.usename, a.application_name, o.name, o.mode, o.granted,"
	"  a.wait_event_type, a.wait_event, a.state, clock_timestamp() - a.xact_start,"
	"  clock_timestamp() - a.query_start, coalesce(b.blocked_by, '{}'), a.query,"
	"  format(CASE WHEN a.backend_type = 'startup' THEN NULL"
	"   WHEN a.state LIKE 'idle%' THEN 'SELECT pg_terminate_backend(%s)'"
	"   ELSE 'SELECT pg_cancel_backend(%s)' END, s.pid), p.cancel"
	" FROM sessions s LEFT JOIN on_tables o USING (pid) LEFT JOIN pg_stat_activity a USING (pid)"
	" LEFT JOIN blocked b USING (pid) LEFT JOIN prepared_blockers p USING (pid)"
	" WHERE s.pid <> 0"
	" UNION ALL SELECT NULL, p.owner, NULL, o.name, o.mode, o.granted, NULL, NULL,"
	"  'prepared transaction', clock_timestamp() - p.prepared, NULL, '{}',"
	"  format('PREPARE TRANSACTION %L', p.gid), p.cancel, NULL"
	" FROM on_tables o JOIN prepared p USING (vxid) ORDER BY 1, 4, 5";

static void
query_locks(List *relations)
{
	QueryArgs args = {0};

	arg_relations(&args, relations);
	query_run(locks_sql, &args, true, 0);
}

static LockSession *
find_session(List *sessions, int pid)
{
	ListCell *cell;

	foreach (cell, sessions)
		if (((LockSession *) lfirst(cell))->pid == pid)
			return lfirst(cell);
	return NULL;
}

static List *
row_pids(uint64 row)
{
	List *pids = NIL;
	Datum *elements;
	bool isnull;
	int count;
	Datum array = row_copy(row, COLUMN_BLOCKED_BY, INT4ARRAYOID, CurrentMemoryContext, &isnull);

	deconstruct_array(DatumGetArrayTypeP(array), INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		pids = list_append_unique_int(pids, DatumGetInt32(elements[i]));
	return pids;
}

/* The sessions of the rows, which come ordered by pid. */
static List *
collect_sessions(void)
{
	List *sessions = NIL;

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		LockSession *session;

		if (row_is_null(row, COLUMN_PID) ||
			(sessions != NIL && ((LockSession *) llast(sessions))->pid == row_int(row, COLUMN_PID)))
			continue;
		session = palloc0(sizeof(LockSession));
		session->pid = row_int(row, COLUMN_PID);
		session->blocked_by = row_pids(row);
		session->cancel = row_text(row, COLUMN_CANCEL);
		session->cancel_prepared = row_text(row, COLUMN_CANCEL_PREPARED);
		sessions = lappend(sessions, session);
	}
	return sessions;
}

/* The session waits for "root" over so many others; the longest way is told. */
static void
set_root(LockSession *session, int depth, int root, const char *cancel)
{
	if (depth <= session->depth)
		return;
	session->depth = depth;
	session->root = root;
	session->cancel_root = cancel;
}

/*
 * Find what is at the end of the chain of those that a session waits for. In a deadlock, which the
 * server is about to break, it is any of its members.
 */
static void
resolve_root(List *sessions, LockSession *session)
{
	ListCell *cell;

	session->visit = VISIT_GOING_ON;
	session->root = -1;
	session->cancel_root = session->cancel;
	foreach (cell, session->blocked_by)
	{
		int pid = lfirst_int(cell);
		LockSession *blocker = find_session(sessions, pid);

		if (blocker != NULL && blocker->visit == VISIT_NONE)
			resolve_root(sessions, blocker);
		if (pid == 0)
			set_root(session, 1, 0, session->cancel_prepared);
		else if (blocker == NULL || blocker->visit == VISIT_GOING_ON)
			set_root(session, 1, pid, blocker ? blocker->cancel : NULL);
		else
			set_root(session, blocker->depth + 1, blocker->depth > 0 ? blocker->root : pid,
					 blocker->cancel_root);
	}
	session->visit = VISIT_DONE;
}

/* Emit a row; session is NULL for a prepared transaction's. */
static void
emit_lock(FunctionCallInfo fcinfo, uint64 row, const LockSession *session)
{
	Datum values[RESULT_COLUMNS] = {0};
	bool nulls[RESULT_COLUMNS] = {0};
	const char *cancel = session ? session->cancel_root : row_text(row, COLUMN_CANCEL);

	for (int column = COLUMN_PID; column <= COLUMN_BLOCKED_BY; column++)
		values[column - 1] = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column,
										   &nulls[column - 1]);
	nulls[12] = session == NULL || session->depth == 0;
	values[12] = nulls[12] ? (Datum) 0 : Int32GetDatum(session->root);
	values[13] = Int32GetDatum(session ? session->depth : 0);
	values[14] =
		SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, COLUMN_QUERY, &nulls[14]);
	nulls[15] = cancel == NULL;
	values[15] = nulls[15] ? (Datum) 0 : CStringGetTextDatum(cancel);
	result_row(fcinfo, values, nulls);
}

/* Roots with those that wait for them, nearest first. */
static int
compare_in_tree(const ListCell *left, const ListCell *right)
{
	const LockRow *a = lfirst(left);
	const LockRow *b = lfirst(right);

	if (a->tree != b->tree)
		return a->tree < b->tree ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	return a->row < b->row ? -1 : 1;
}

static List *
rows_in_tree_order(List *sessions)
{
	List *rows = NIL;

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		LockRow *lock = palloc0(sizeof(LockRow));

		lock->row = row;
		if (!row_is_null(row, COLUMN_PID))
		{
			lock->session = find_session(sessions, row_int(row, COLUMN_PID));
			lock->depth = lock->session->depth;
			lock->tree = lock->depth > 0 ? lock->session->root : lock->session->pid;
		}
		rows = lappend(rows, lock);
	}
	list_sort(rows, compare_in_tree);
	return rows;
}

/*
 * locks()
 */
Datum
airflow_pin_locks(PG_FUNCTION_ARGS)
{
	const char *schema;
	List *sessions;
	ListCell *cell;

	result_rows_begin(fcinfo);
	schema = health_schema();
	if (schema == NULL)
		return (Datum) 0;
	SPI_connect();
	query_locks(airflow_relations(schema));
	sessions = collect_sessions();
	foreach (cell, sessions)
		if (((LockSession *) lfirst(cell))->visit == VISIT_NONE)
			resolve_root(sessions, lfirst(cell));
	foreach (cell, rows_in_tree_order(sessions))
		emit_lock(fcinfo, ((LockRow *) lfirst(cell))->row, ((LockRow *) lfirst(cell))->session);
	SPI_finish();
	return (Datum) 0;
}
