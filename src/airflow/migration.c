/*
 * migration.c
 *		Is an "airflow db migrate" running?
 */
#include "migration.h"

#include "compat.h"
#include "miscadmin.h"
#include "storage/lock.h"

/* DBLocks.MIGRATIONS (airflow/utils/db.py): pg_advisory_lock(1). */
#define MIGRATION_LOCK 1

/*
 * A migration holds a session advisory lock while it works. Asks for that lock without waiting, and
 * lets it go again at once.
 */
bool
airflow_is_migrating(void)
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
