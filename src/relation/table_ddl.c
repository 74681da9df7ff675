/*
 * table_ddl.c
 *		DDL on Airflow's tables that gives up rather than queue behind a long lock.
 */
#include "table_ddl.h"

#include "executor/spi.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "util/guarded.h"
#include "relation/lock_blockers.h"
#include "util/query.h"

void
table_ddl_add(TableDdl *ddl, const char *table, Oid relation, const char *sql)
{
	Assert(ddl->count < TABLE_DDL_MAX_STATEMENTS);
	ddl->sql[ddl->count] = sql;
	ddl->tables[ddl->count] = table;
	ddl->relations[ddl->count] = relation;
	ddl->count++;
}

static int
milliseconds_left(const TableDdl *ddl)
{
	return (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), ddl->until);
}

static void
set_lock_timeout(int milliseconds)
{
	(void) set_config_option("lock_timeout", psprintf("%d", milliseconds), PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * GuardedCall: find out what is to be done and do it, as the caller and with its rights.
 *
 * Time to wait is only while no lock is held. With one, somebody may come to wait for it who holds
 * what is awaited here, and would be the deadlock's victim: Airflow, most likely. So the wait ends
 * before their deadlock_timeout can.
 */
static void
try_ddl(void *arg)
{
	TableDdl *ddl = arg;
	int guc_level = NewGUCNestLevel();

	SPI_connect();
	set_lock_timeout(Max(milliseconds_left(ddl), 1));
	if (OidIsValid(ddl->first))
		LockRelationOid(ddl->first, ddl->lock);
	ddl->count = ddl->current = 0;
	set_lock_timeout(Max(Min(milliseconds_left(ddl), DeadlockTimeout / 2), 1));
	ddl->prepare(ddl);
	for (; ddl->current < ddl->count; ddl->current++)
		query_run(ddl->sql[ddl->current], NULL, false, 0);
	SPI_finish();
	AtEOXact_GUC(true, guc_level);
}

/* Try until it is done or the time is over: each time first to lock the table that was missing. */
static ErrorData *
run_ddl(TableDdl *ddl)
{
	ErrorData *error;

	ddl->until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ddl->lock_timeout);
	while ((error = guarded_call(try_ddl, ddl)) != NULL &&
		   error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE && milliseconds_left(ddl) > 0)
		ddl->first = ddl->current < ddl->count ? ddl->relations[ddl->current] : InvalidOid;
	return error;
}

/*
 * Run the statements that prepare() adds. Raises 55P03, with nothing done, when a lock is not to be
 * had within the timeout, and says who has it.
 */
void
table_ddl_run(TableDdl *ddl)
{
	ErrorData *error = run_ddl(ddl);
	char *blockers;

	if (error == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	if (ddl->current >= ddl->count)
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("could not lock Airflow's tables within %d ms", ddl->lock_timeout),
						errdetail("Somebody holds an ACCESS EXCLUSIVE lock on one of them."),
						errhint("Wait until they are done and try again, or raise lock_timeout. "
								"Nothing was changed.")));
	blockers = lock_blockers(ddl->relations[ddl->current], ddl->lock);
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not lock table \"%s\" within %d ms", ddl->tables[ddl->current],
					ddl->lock_timeout),
			 blockers ? errdetail("Sessions that hold or await a lock on it: %s.", blockers)
					  : errdetail("Whoever held a lock on it has let go of it."),
			 errhint("Wait until they are done and try again, or raise lock_timeout. Nothing was "
					 "changed.")));
}
