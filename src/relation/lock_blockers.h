/*
 * lock_blockers.h
 *		Who keeps us from a lock on a table.
 */
#ifndef RELATION_LOCK_BLOCKERS_H
#define RELATION_LOCK_BLOCKERS_H

#include "postgres.h"

#include "storage/lockdefs.h"

/*
 * SQL: the pids in the way of a lock that waits, "w" (pid, mode, database, relation) of all_locks,
 * which is pg_locks. On a standby the startup process replays what the primary locked;
 * pg_blocking_pids() does not know it. It alone waits for ACCESS EXCLUSIVE there, behind any lock.
 */
#define BLOCKING_PIDS                                                                              \
	"CASE WHEN pg_is_in_recovery() AND w.mode = 'AccessExclusiveLock'"                             \
	" THEN ARRAY(SELECT DISTINCT h.pid FROM all_locks h WHERE h.granted"                           \
	"  AND h.relation = w.relation AND h.database = w.database)"                                   \
	" ELSE pg_blocking_pids(w.pid) END"

extern char *lock_blockers(Oid relation, LOCKMODE wanted);
extern void raise_locked(Oid relation, LOCKMODE wanted, const char *schema, const char *table,
						 const char *hint);

#endif
