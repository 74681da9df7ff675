/*
 * lock_blockers.c
 *		Who keeps us from a lock on a table.
 */
#include "lock_blockers.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "util/query.h"

/* Those who wait count, too: a lock that is asked for conditionally does not pass them. */
static const char *const blockers_sql =
	"WITH RECURSIVE family (oid) AS (SELECT $1 UNION SELECT i.inhrelid FROM family f"
	" JOIN pg_catalog.pg_inherits i ON i.inhparent OPERATOR(pg_catalog.=) f.oid)"
	" SELECT pg_catalog.string_agg(DISTINCT CASE WHEN l.pid IS NULL THEN 'a prepared transaction'"
	" ELSE pg_catalog.format('pid %s (%s)', l.pid,"
	" COALESCE(CASE WHEN a.application_name OPERATOR(pg_catalog.<>) '' THEN a.application_name END,"
	" a.backend_type, 'unknown')) END, ', ')"
	" FROM pg_catalog.pg_locks l"
	" LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid"
	" WHERE l.locktype OPERATOR(pg_catalog.=) 'relation'"
	" AND l.mode OPERATOR(pg_catalog.=) ANY ($3)"
	" AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() IS NOT TRUE"
	" AND l.database OPERATOR(pg_catalog.=) $2 AND l.relation OPERATOR(pg_catalog.=) ANY"
	" (SELECT f.oid FROM family f UNION ALL SELECT i.indexrelid FROM family f"
	" JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) f.oid)";

/* The names of the lock modes that conflict with one, as pg_locks has them: a text array. */
static Datum
conflicting_modes(LOCKMODE wanted)
{
	Datum names[MaxLockMode];
	int count = 0;

	for (LOCKMODE mode = AccessShareLock; mode <= MaxLockMode; mode++)
		if (DoLockModesConflict(wanted, mode))
			names[count++] = CStringGetTextDatum(GetLockmodeName(DEFAULT_LOCKMETHOD, mode));
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * The other sessions that hold, or wait for, a lock on a table, what inherits from it, or an index
 * of either, that conflicts with the wanted one: "pid 7 (migration), a prepared transaction". NULL
 * when they are gone. In the caller's memory; needs a snapshot, and takes no lock on the table.
 */
char *
lock_blockers(Oid relation, LOCKMODE wanted)
{
	QueryArgs args = {0};
	MemoryContext caller = CurrentMemoryContext;
	char *blockers;

	arg_datum(&args, OIDOID, ObjectIdGetDatum(relation));
	arg_datum(&args, OIDOID, ObjectIdGetDatum(MyDatabaseId));
	arg_datum(&args, TEXTARRAYOID, conflicting_modes(wanted));
	SPI_connect();
	query_run(blockers_sql, &args, true, 1);
	blockers = row_text(0, 1);
	if (blockers != NULL)
		blockers = MemoryContextStrdup(caller, blockers);
	SPI_finish();
	return blockers;
}

/* Raise 55P03 for a table whose lock is not free, instead of waiting for it. */
void
raise_locked(Oid relation, LOCKMODE wanted, const char *schema, const char *table, const char *hint)
{
	char *blockers = OidIsValid(relation) ? lock_blockers(relation, wanted) : NULL;

	ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					errmsg("table \"%s.%s\" is locked", schema, table),
					errdetail("Sessions in the way: %s.", blockers ? blockers : "another session"),
					errhint("%s", hint)));
}
