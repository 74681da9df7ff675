/*
 * migration_lock.c
 *		Who holds the advisory lock of a migration?
 *
 * "airflow db migrate" ends with LockNotAvailable after 1.8 s where somebody has advisory lock 1, of
 * whatever role. A migration itself has it in a transaction (create_global_lock() in
 * airflow/utils/db.py) and works in other sessions. Who has it outside of a transaction was
 * forgotten, in a pool or by a client that was killed.
 */
#include "postgres.h"

#include "health/migration_lock.h"
#include "util/query.h"

static const char *const holders_sql =
	"SELECT coalesce(format('pid %s (%s)', l.pid, coalesce(nullif(a.application_name, ''),"
	"   a.usename, 'no user')), format('PREPARE TRANSACTION %L', x.gid)),"
	" coalesce(a.state, CASE WHEN x.gid IS NULL THEN 'state not visible' ELSE 'prepared' END)"
	"  || coalesce(' for ' || to_char(clock_timestamp() - coalesce(a.state_change, x.prepared),"
	"   'HH24:MI:SS'), ''), coalesce(a.state = 'idle', x.gid IS NOT NULL),"
	" CASE WHEN x.gid IS NOT NULL THEN format('ROLLBACK PREPARED %L', x.gid)"
	"  WHEN a.state LIKE 'idle%' THEN format('SELECT pg_terminate_backend(%s)', l.pid) END"
	" FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
	" LEFT JOIN pg_locks i ON l.pid IS NULL AND i.virtualtransaction = l.virtualtransaction"
	"  AND i.locktype = 'transactionid'"
	" LEFT JOIN pg_prepared_xacts x ON x.transaction = i.transactionid"
	" WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = 1"
	" AND l.objsubid = 1 AND l.pid IS DISTINCT FROM pg_backend_pid()"
	" AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	" ORDER BY 1";

/*
 * All but the caller: a list of LockHolder in the SPI procedure's memory. To be called between
 * SPI_connect() and SPI_finish().
 */
List *
migration_lock_holders(void)
{
	List *holders = NIL;

	query_run(holders_sql, NULL, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		LockHolder *holder = palloc(sizeof(LockHolder));

		holder->name = row_text(row, 1);
		holder->state = row_text(row, 2);
		holder->forgotten = row_bool(row, 3);
		holder->end_sql = row_text(row, 4);
		holders = lappend(holders, holder);
	}
	return holders;
}
