/*
 * migration.c
 *		Does the session at hand migrate Airflow's tables?
 *
 * What a migration does to a pinned version must not be held back, and what a parse does must be, also
 * while a migration, or a session that has forgotten advisory lock 1, is there. So the question is
 * about the transaction that writes, and not whether anybody holds that lock.
 */
#include "migration.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "airflow/relations.h"
#include "airflow/revision.h"
#include "compat.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* DBLocks.MIGRATIONS (airflow/utils/db.py): pg_advisory_lock(1). */
#define MIGRATION_LOCK 1

static bool
holds_migration_lock(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, MIGRATION_LOCK, 1);
	return lock_held_by_me(&tag, ExclusiveLock);
}

/* Does this session hold a lock on the table from that mode up? */
static bool
holds_table_lock(Oid relation, LOCKMODE weakest)
{
	LOCKTAG tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
	for (LOCKMODE mode = weakest; mode <= MaxLockMode; mode++)
		if (lock_held_by_me(&tag, mode))
			return true;
	return false;
}

/*
 * Has this transaction a lock on a table of Airflow as only DDL takes it, or has it written the
 * revision? Airflow itself takes none from ShareLock up.
 */
static bool
holds_ddl_locks(const char *schema)
{
	bool found = false;
	OwnerScope scope;
	List *relations;
	ListCell *cell;

	SPI_connect();
	owner_scope_enter(&scope, pin_relation("pinned_version"));
	relations = airflow_relations(schema);
	owner_scope_leave(&scope);
	foreach (cell, relations)
	{
		const AirflowRelation *relation = lfirst(cell);
		bool is_revision = strcmp(relation->name, CORE_VERSION_TABLE) == 0;

		found =
			found || holds_table_lock(relation->oid, is_revision ? RowExclusiveLock : ShareLock);
	}
	SPI_finish();
	return found;
}

/* Rights of the tables' owner: anybody can take an advisory lock, and some a lock on a table. */
static bool
may_migrate(Oid relation)
{
	return has_privs_of_role(GetUserId(), relation_owner(relation));
}

/*
 * Is this transaction a migration's, by what it does itself? "relation" is one of Airflow's tables.
 */
bool
transaction_migrates(Oid relation)
{
	return may_migrate(relation) &&
		   (holds_migration_lock() ||
			holds_ddl_locks(get_namespace_name(get_rel_namespace(relation))));
}

/*
 * The session that holds advisory lock 1 for "airflow db migrate" does not migrate itself: another one
 * of the same client does, which began later (create_global_lock() in airflow/utils/db.py).
 */
static const char *const holder_sql =
	"SELECT FROM pg_locks l JOIN pg_stat_activity h ON h.pid = l.pid"
	" JOIN pg_stat_activity own ON own.pid = pg_backend_pid()"
	" WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = 1"
	" AND l.objsubid = 1 AND l.database = own.datid AND h.pid <> own.pid"
	" AND h.usesysid = own.usesysid AND h.backend_start <= own.backend_start"
	" AND h.client_addr IS NOT DISTINCT FROM own.client_addr"
	" AND coalesce(h.application_name, '') = coalesce(own.application_name, '')";

/*
 * Does the client of this session hold the lock of Airflow's migrations? That does not tell whether
 * this session migrates: a DAG processor on the same machine is the same client, for all that is
 * known of it, and the lock may be one that a killed migration has left.
 */
bool
client_migrates(Oid relation)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	OwnerScope scope;
	LOCKTAG tag;
	bool found;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, MIGRATION_LOCK, 1);
	if (!may_migrate(relation))
		return false;
	if (LockAcquire(&tag, ShareLock, false, true) != LOCKACQUIRE_NOT_AVAIL)
	{
		(void) LockRelease(&tag, ShareLock, false);
		return false;
	}
	SPI_connect();
	/* not as the caller, who may have been denied a look at these views */
	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run_kept(&plan, holder_sql, &args, 1);
	owner_scope_leave(&scope);
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/*
 * Who holds the lock of Airflow's migrations, as words, and the statement that ends it; NULL when
 * nobody does. Call it connected to SPI.
 */
const char *
migration_lock_holder(const char **end_sql)
{
	OwnerScope scope;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run("SELECT format('session %s of role \"%s\", %s since %s', a.pid, a.usename, a.state,"
			  " to_char(a.state_change, 'YYYY-MM-DD HH24:MI:SS TZ')), format('SELECT "
			  "pg_terminate_backend(%s)', a.pid)"
			  " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
			  " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = 1"
			  " AND l.objsubid = 1 AND l.database = (SELECT d.oid FROM pg_database d"
			  " WHERE d.datname = current_database()) ORDER BY a.pid LIMIT 1",
			  NULL, true, 1);
	owner_scope_leave(&scope);
	if (SPI_processed == 0)
		return NULL;
	*end_sql = row_required_text(0, 2);
	return row_required_text(0, 1);
}
