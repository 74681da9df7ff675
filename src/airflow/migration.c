/*
 * migration.c
 *		Is an "airflow db migrate" running?
 */
#include "migration.h"

#include "compat.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"

/* DBLocks.MIGRATIONS (airflow/utils/db.py): pg_advisory_lock(1). */
#define MIGRATION_LOCK 1

static bool
migration_lock_is_held(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, MIGRATION_LOCK, 1);
	if (lock_held_by_me(&tag, ExclusiveLock))
		return true;
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, ShareLock, false);
	return false;
}

/*
 * Does a session hold the advisory lock of Airflow's migrations whose role has the rights of the
 * owner of "relation", one of Airflow's tables? Anybody can take an advisory lock of that number.
 */
bool
airflow_is_migrating(Oid relation)
{
	Oid owner = relation_owner(relation);
	bool migrating = false;
	OwnerScope scope;

	if (!migration_lock_is_held())
		return false;
	SPI_connect();
	/* not as the caller, who may have been denied a look at these views */
	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run("SELECT a.usesysid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a"
			  " ON a.pid OPERATOR(pg_catalog.=) l.pid"
			  " WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted"
			  " AND l.classid OPERATOR(pg_catalog.=) 0 AND l.objid OPERATOR(pg_catalog.=) 1"
			  " AND l.objsubid OPERATOR(pg_catalog.=) 1"
			  " AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d"
			  " WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())",
			  NULL, true, 0);
	owner_scope_leave(&scope);
	for (uint64 row = 0; row < SPI_processed && !migrating; row++)
	{
		bool isnull;
		Datum role = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull);

		migrating = !isnull && has_privs_of_role(DatumGetObjectId(role), owner);
	}
	SPI_finish();
	return migrating;
}
