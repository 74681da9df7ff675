/*
 * migration_sessions.c
 *		Which sessions migrate Airflow's database.
 *
 * "airflow db migrate" opens a connection that only holds advisory lock 1 (create_global_lock() in
 * airflow/utils/db.py), and then another one of the same client, which does the work; some more are
 * used for a look around. "airflow fab-db migrate" takes no advisory lock. Neither sets an
 * application_name. So a session migrates when it has a lock on a table of Airflow as DDL takes it,
 * or writes a version table, and is of the client that holds the advisory lock, if one does.
 * Between two transactions it has no locks: then it is the client's first session after the lock's
 * holder, which is in a transaction as long as it migrates. Outside of one it was forgotten, and is
 * shown for itself. On a standby it is the startup process.
 */
#include "migration_sessions.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "airflow/relations.h"
#include "relation/lock_blockers.h"
#include "util/query.h"

/*
 * $1 and $2: the tables and their names; $3: the role that owns them, or NULL. Anybody can take an
 * advisory lock of that number, so its holder must have the owner's rights.
 */
static const char *const sessions_sql =
	"WITH tables AS (SELECT * FROM unnest($1, $2) AS t (oid, name)),"
	" with_toast AS (SELECT oid, name FROM tables"
	"  UNION ALL SELECT c.reltoastrelid, t.name FROM tables t JOIN pg_class c USING (oid)"
	"  WHERE c.reltoastrelid <> 0),"
	" parts AS MATERIALIZED (SELECT oid, name FROM with_toast"
	"  UNION ALL SELECT i.indexrelid, t.name FROM with_toast t JOIN pg_index i ON "
	"   i.indrelid = t.oid),"
	" here AS MATERIALIZED (SELECT oid FROM pg_database WHERE datname = current_database()),"
	" all_locks AS MATERIALIZED (SELECT l.*, p.name FROM pg_locks l"
	"  LEFT JOIN parts p ON p.oid = l.relation AND l.database = (SELECT oid FROM here)"
	"  WHERE l.pid <> pg_backend_pid()),"
	" sessions AS MATERIALIZED (SELECT a.*, coalesce(a.application_name, '') AS name"
	"  FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND (a.backend_type = 'startup'"
	"   OR a.datid = (SELECT oid FROM here) AND coalesce(a.backend_type, 'client backend') ="
	"    'client backend' AND coalesce(pg_has_role(a.usesysid, $3, 'USAGE'), $3 IS NULL))),"
	" advisory AS (SELECT s.*, l.granted, l.waitstart FROM all_locks l JOIN sessions s USING (pid)"
	"  WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM here)"
	"  AND l.classid = 0 AND l.objid = 1 AND l.objsubid = 1),"
	" forgotten AS (SELECT * FROM advisory WHERE granted AND state = 'idle'),"
	" holder AS MATERIALIZED (SELECT * FROM advisory WHERE granted"
	"  AND state IS DISTINCT FROM 'idle' LIMIT 1),"
	" progress AS (SELECT pid, relid, command || ', ' || phase AS phase, true AS index,"
	"   blocks_done, tuples_done, tuples_total, blocks_total FROM pg_stat_progress_create_index"
	"  WHERE datid = (SELECT oid FROM here)"
	"  UNION ALL SELECT pid, relid, 'VACUUM, ' || phase, false, heap_blks_scanned,"
	"   0, 0, heap_blks_total FROM pg_stat_progress_vacuum WHERE datid = (SELECT oid FROM here)"
	"  UNION ALL SELECT pid, relid, command || ', ' || phase, false, heap_blks_scanned,"
	"   0, 0, heap_blks_total FROM pg_stat_progress_cluster WHERE datid = (SELECT oid FROM here)),"
	" working AS (SELECT pid FROM all_locks WHERE name IS NOT NULL"
	"   AND (mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
	"    OR starts_with(name, 'alembic_version') AND mode = 'RowExclusiveLock')"
	"  UNION SELECT pid FROM progress JOIN parts ON oid = relid),"
	" of_client AS (SELECT s.pid, s.backend_start, w.pid IS NOT NULL AS working, h.pid AS holder"
	"  FROM sessions s JOIN holder h ON h.usesysid = s.usesysid AND h.name = s.name"
	"   AND h.client_addr IS NOT DISTINCT FROM s.client_addr"
	"  LEFT JOIN working w ON w.pid = s.pid WHERE s.pid = h.pid OR w.pid IS NOT NULL"
	"   OR s.backend_start > h.backend_start),"
	" found AS (SELECT pid FROM of_client WHERE working"
	"  UNION (SELECT pid FROM of_client WHERE NOT EXISTS (SELECT FROM of_client WHERE working)"
	"   ORDER BY pid = holder, backend_start LIMIT 1)"
	"  UNION SELECT pid FROM advisory WHERE NOT granted UNION SELECT pid FROM forgotten"
	"  UNION SELECT pid FROM working WHERE NOT EXISTS (SELECT FROM holder)),"
	" waits AS (SELECT DISTINCT ON (pid) pid, mode, name, locktype, database, relation, waitstart"
	"  FROM all_locks WHERE NOT granted ORDER BY pid, waitstart)"
	" SELECT s.pid, coalesce(s.backend_type = 'startup', false), "
	"  coalesce(s.pid = h.pid, false) OR EXISTS (SELECT FROM forgotten f WHERE f.pid = s.pid),"
	"  h.pid IS NOT NULL AND EXISTS (SELECT FROM advisory v WHERE v.pid = s.pid AND NOT v.granted),"
	"  (SELECT c.holder FROM of_client c WHERE c.pid = s.pid),"
	"  s.backend_xid::text::bigint, s.state, s.wait_event_type, s.wait_event, s.query,"
	"  s.backend_start, s.xact_start, s.query_start, s.state_change,"
	"  CASE WHEN w.pid IS NULL THEN '{}' ELSE " BLOCKING_PIDS " END,"
	"  coalesce(w.mode || ' on ' || w.name, 'lock of type ' || w.locktype), w.name, w.waitstart,"
	"  ARRAY(SELECT l.relation FROM all_locks l WHERE l.pid = s.pid AND l.granted"
	"   AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM here)"
	"   AND l.locktype = 'relation'),"
	"  ARRAY(SELECT a.pid FROM pg_stat_activity a WHERE a.leader_pid = s.pid AND a.pid <> s.pid),"
	"  p.phase, p.relid, p.index, p.blocks_done, p.blocks_total, p.tuples_done,"
	"  p.tuples_total"
	" FROM found JOIN sessions s USING (pid) LEFT JOIN holder h ON true"
	" LEFT JOIN waits w ON w.pid = s.pid LEFT JOIN progress p ON p.pid = s.pid"
	" ORDER BY s.backend_start";

static void
query_sessions(List *relations, Oid owner)
{
	QueryArgs args = {0};

	arg_relations(&args, relations);
	if (OidIsValid(owner))
		arg_datum(&args, OIDOID, ObjectIdGetDatum(owner));
	else
		arg_null(&args, OIDOID);
	query_run(sessions_sql, &args, true, 0);
}

static Datum
row_array(uint64 row, int column, Oid type, Datum **elements, int *count)
{
	Oid element_type = type == INT4ARRAYOID ? INT4OID : OIDOID;
	bool isnull;
	Datum array = row_copy(row, column, type, CurrentMemoryContext, &isnull);

	deconstruct_array(DatumGetArrayTypeP(array), element_type, sizeof(int32), true, TYPALIGN_INT,
					  elements, NULL, count);
	return array;
}

static int64
row_bigint_or_zero(uint64 row, int column)
{
	return row_is_null(row, column) ? 0 : row_bigint(row, column);
}

static void
read_blockers(uint64 row, MigratingSession *session)
{
	Datum *elements;
	int count;

	session->blocked_by = row_array(row, 15, INT4ARRAYOID, &elements, &count);
	session->first_blocker = count > 0 ? DatumGetInt32(elements[0]) : -1;
	session->lock = row_text(row, 16);
	session->lock_table = row_text(row, 17);
	session->waits_since = row_timestamp(row, 18);
}

static void
read_processes(uint64 row, MigratingSession *session)
{
	Datum *elements;
	int count;

	(void) row_array(row, 19, OIDARRAYOID, &elements, &count);
	for (int i = 0; i < count; i++)
		session->locked = lappend_oid(session->locked, DatumGetObjectId(elements[i]));
	session->pids = list_make1_int(session->pid);
	(void) row_array(row, 20, INT4ARRAYOID, &elements, &count);
	for (int i = 0; i < count; i++)
		session->pids = lappend_int(session->pids, DatumGetInt32(elements[i]));
}

static void
read_progress(uint64 row, ServerProgress *progress)
{
	progress->phase = row_text(row, 21);
	if (progress->phase == NULL)
		return;
	progress->relation = row_oid(row, 22);
	progress->builds_index = row_bool(row, 23);
	progress->blocks_done = row_bigint_or_zero(row, 24);
	progress->blocks_total = row_bigint_or_zero(row, 25);
	progress->tuples_done = row_bigint_or_zero(row, 26);
	progress->tuples_total = row_bigint_or_zero(row, 27);
}

static MigratingSession *
read_session(uint64 row)
{
	MigratingSession *session = palloc0(sizeof(MigratingSession));

	session->pid = row_int(row, 1);
	session->is_startup = row_bool(row, 2);
	session->holds_lock = row_bool(row, 3);
	session->waits_for_migration = row_bool(row, 4);
	session->lock_holder = row_is_null(row, 5) ? 0 : row_int(row, 5);
	session->xid = (TransactionId) row_bigint_or_zero(row, 6);
	session->state = row_text(row, 7);
	session->wait_event_type = row_text(row, 8);
	session->wait_event = row_text(row, 9);
	session->query = session->state ? row_text(row, 10) : NULL;
	session->backend_start = row_timestamp(row, 11);
	session->xact_start = row_timestamp(row, 12);
	session->query_start = row_timestamp(row, 13);
	session->state_change = row_timestamp(row, 14);
	read_blockers(row, session);
	read_processes(row, session);
	read_progress(row, &session->progress);
	return session;
}

/*
 * The sessions that migrate the tables, whose owner is given (InvalidOid: there are none yet): a
 * list of MigratingSession in the SPI procedure's memory.
 */
List *
migrating_sessions(List *relations, Oid owner)
{
	List *sessions = NIL;

	query_sessions(relations, owner);
	for (uint64 row = 0; row < SPI_processed; row++)
		sessions = lappend(sessions, read_session(row));
	return sessions;
}
