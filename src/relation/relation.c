/*
 * relation.c
 *		What a table is, from the catalogs: nothing is opened, and no lock on it is waited for.
 */
#include "relation.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_rewrite.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "airflow_pin.h"

/*
 * OID of a table of the extension. Raises an error when the extension is not installed.
 */
Oid
pin_relation(const char *name)
{
	Oid schema = get_namespace_oid(PIN_SCHEMA, true);
	Oid relation = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table \"%s.%s\" does not exist", PIN_SCHEMA, name),
						errhint("Run: CREATE EXTENSION airflow_pin;")));
	return relation;
}

/* Has the extension a table of that name? Not where its SQL objects are of an earlier release. */
bool
pin_relation_exists(const char *name)
{
	Oid schema = get_namespace_oid(PIN_SCHEMA, true);

	return OidIsValid(schema) && OidIsValid(get_relname_relid(name, schema));
}

/* pg_class.relhasrules alone would say so until VACUUM after the last is dropped. */
static bool
has_rules(Oid relation)
{
	Relation pg_rewrite = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool found;

	ScanKeyInit(&key, Anum_pg_rewrite_ev_class, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(pg_rewrite, RewriteRelRulenameIndexId, true, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(pg_rewrite, AccessShareLock);
	return found;
}

/*
 * What keeps a relation from being a table, partitioned or not, that keeps its rows itself: to
 * follow its name. NULL: it is one.
 */
const char *
table_obstacle(Oid relation)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Form_pg_class form;
	bool is_table = false;
	bool may_have_rules = false;

	if (HeapTupleIsValid(tuple))
	{
		form = (Form_pg_class) GETSTRUCT(tuple);
		is_table = form->relkind == RELKIND_RELATION || form->relkind == RELKIND_PARTITIONED_TABLE;
		may_have_rules = form->relhasrules;
		ReleaseSysCache(tuple);
	}
	if (!is_table)
		return "is not a table";
	return may_have_rules && has_rules(relation) ? "has rules" : NULL;
}

bool
relation_is_table(Oid relation)
{
	return table_obstacle(relation) == NULL;
}

/* Raises 42809 for what is not such a table. */
void
require_table(Oid relation, const char *schema, const char *name)
{
	const char *obstacle = table_obstacle(relation);

	if (obstacle != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s.%s\" %s", schema, name, obstacle),
				 errdetail("Airflow's own tables are needed, not views of them, nor rules that put "
						   "other statements in the place of those on them."),
				 errhint("Check airflow_pin.airflow_schema, or drop the rules.")));
}

/* Does a subscription of this database bring rows of the table? */
bool
relation_is_subscribed(Oid relation)
{
	CatCList *subscriptions = SearchSysCacheList1(SUBSCRIPTIONRELMAP, ObjectIdGetDatum(relation));
	bool found = subscriptions->n_members > 0;

	ReleaseSysCacheList(subscriptions);
	return found;
}

/* OIDs of a table and of all partitions below it, without a lock on any. */
List *
table_and_partitions(Oid relation)
{
	return find_all_inheritors(relation, NoLock, NULL);
}

/* The TOAST table of a table; InvalidOid when it has none, or is gone. */
Oid
relation_toast(Oid relation)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid toast;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	toast = ((Form_pg_class) GETSTRUCT(tuple))->reltoastrelid;
	ReleaseSysCache(tuple);
	return toast;
}

/* OIDs of a table's indexes, from the catalog: RelationGetIndexList() would need the table open. */
List *
relation_indexes(Oid relation)
{
	Relation pg_index = table_open(IndexRelationId, AccessShareLock);
	List *indexes = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		indexes = lappend_oid(indexes, ((Form_pg_index) GETSTRUCT(tuple))->indexrelid);
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return indexes;
}
