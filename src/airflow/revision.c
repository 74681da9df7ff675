/*
 * revision.c
 *		Which revision of its migrations a database is at.
 *
 * Alembic keeps it in a table, of one row as long as its chain has no branches.
 */
#include "revision.h"

#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "relation/lock_blockers.h"
#include "relation/relation.h"
#include "relation/try_lock.h"
#include "util/owner_scope.h"
#include "util/query.h"

static Oid
version_table(const char *schema, const char *table)
{
	Oid namespace = get_namespace_oid(schema, true);

	return OidIsValid(namespace) ? get_relname_relid(table, namespace) : InvalidOid;
}

/* Is there a relation of the version table's name? */
bool
revisions_exist(const char *schema, const char *table)
{
	return OidIsValid(version_table(schema, table));
}

/*
 * The revisions that an existing version table holds, as a list of strings in the SPI procedure's
 * memory. Raises an error rather than wait for a lock on it. To be called between SPI_connect() and
 * SPI_finish().
 */
List *
read_revisions(const char *schema, const char *table)
{
	Oid relation = version_table(schema, table);
	List *revisions = NIL;
	OwnerScope scope;

	if (!try_lock_for_reading(relation))
		raise_locked(relation, AccessShareLock, schema, table,
					 "It holds the revision. Try again when the migration, or whatever else holds "
					 "it, is done.");
	if (version_table(schema, table) != relation || !relation_is_table(relation))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s.%s\" is not a table of Airflow", schema, table),
						errdetail("It was dropped or replaced just now, or is a view."),
						errhint("Check airflow_pin.airflow_schema.")));
	owner_scope_enter_foreign(&scope, relation);
	query_run(psprintf("SELECT version_num FROM %s ORDER BY version_num",
					   quote_qualified_identifier(schema, table)),
			  NULL, true, 0);
	owner_scope_leave(&scope);
	for (uint64 row = 0; row < SPI_processed; row++)
		revisions = lappend(revisions, row_required_text(row, 1));
	return revisions;
}
