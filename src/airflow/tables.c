/*
 * tables.c
 *		The tables of an Airflow 3, and which one it is.
 *
 * Everything is looked up by name in the system catalogs, without a lock on Airflow's tables: a
 * migration may hold ACCESS EXCLUSIVE on them for hours.
 */
#include "tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_rewrite.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "airflow/schema.h"
#include "relation/lock_blockers.h"
#include "relation/relation.h"
#include "util/owner_scope.h"

/* How a table is locked against being dropped or replaced until the end of the transaction. */
typedef enum TableLock
{
	LOCK_WAITING,
	LOCK_AT_ONCE, /* raises 55P03, telling who is in the way, rather than wait */
	LOCK_NONE
} TableLock;

static void
lock_table(Oid relation, const char *schema, const char *name, TableLock lock)
{
	if (lock == LOCK_WAITING)
		LockRelationOid(relation, AccessShareLock);
	else if (lock == LOCK_AT_ONCE && !ConditionalLockRelationOid(relation, AccessShareLock))
		raise_locked(relation, AccessShareLock, schema, name,
					 "Try again when the migration, or whatever else holds it, is done.");
}

/*
 * OID of one of Airflow's tables. Each must be a plain table of the same owner: what is read in one
 * owner's name must not be a view, or a table, that somebody else put in its place.
 */
static Oid
airflow_relation(Oid namespace, const char *schema, const char *name, Oid owner, TableLock lock)
{
	Oid relation = get_relname_relid(name, namespace);

	if (OidIsValid(relation))
		lock_table(relation, schema, name, lock);
	if (!OidIsValid(relation) || get_relname_relid(name, namespace) != relation)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("Airflow table \"%s.%s\" does not exist", schema, name),
						errdetail("A complete set of Airflow's tables is needed."),
						errhint("Is an \"airflow db migrate\" or \"airflow db reset\" running?")));
	require_table(relation, schema, name);
	if (relation_owner(relation) != owner)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("tables \"%s.dag_run\" and \"%s.%s\" have different owners", schema, schema,
						name),
				 errdetail("airflow_pin works on Airflow's tables in their owner's name."),
				 errhint("Give all Airflow tables one owner with ALTER TABLE ... OWNER TO.")));
	return relation;
}

/*
 * Could somebody else than the tables' owner rename the schema and put another in its place?
 */
static bool
schema_is_owners(Oid namespace, Oid owner)
{
	HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(namespace));
	Oid schema_owner;

	if (!HeapTupleIsValid(tuple))
		return false;
	schema_owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);

	if (schema_owner == ROLE_PG_DATABASE_OWNER)
	{
		tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
		if (!HeapTupleIsValid(tuple))
			return false;
		schema_owner = ((Form_pg_database) GETSTRUCT(tuple))->datdba;
		ReleaseSysCache(tuple);
	}
	return schema_owner == owner || superuser_arg(schema_owner);
}

/*
 * OID of dag_run in a schema that only its owner, or a superuser, could exchange for another.
 * Raises an error when it is not that.
 */
Oid
airflow_dag_run(const char *schema)
{
	Oid namespace = get_namespace_oid(schema, true);
	Oid dag_run = OidIsValid(namespace) ? get_relname_relid("dag_run", namespace) : InvalidOid;

	if (!OidIsValid(dag_run))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("schema \"%s\" has no Airflow tables", schema),
						errdetail("It has no table dag_run."),
						errhint("Name the schema that has them, in attach() or in "
								"airflow_pin.airflow_schema.")));
	require_table(dag_run, schema, "dag_run");
	if (!schema_is_owners(namespace, relation_owner(dag_run)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("schema \"%s\" belongs neither to the owner of Airflow's tables nor to a "
						"superuser",
						schema),
				 errdetail("Its owner could put other tables in their place, and airflow_pin works "
						   "in the name of the tables' owner."),
				 errhint("Give the schema, or for schema public the database, to that owner.")));
	return dag_run;
}

/*
 * Which Airflow 3 do the tables belong to, as far as it matters here? Told by what the migrations
 * of each minor release added, and not by alembic_version, which changes with every revision.
 */
static int
airflow_minor(const AirflowTables *tables)
{
	if (get_attnum(tables->dag_version, "version_data") != InvalidAttrNumber)
		return AIRFLOW_3_3;
	if (get_attnum(tables->dag, "next_dagrun_partition_key") != InvalidAttrNumber)
		return AIRFLOW_3_2;
	if (get_attnum(tables->dag_run, "triggering_user_name") != InvalidAttrNumber)
		return AIRFLOW_3_1;
	return AIRFLOW_3_0;
}

static void
find_tables(AirflowTables *tables, const char *schema, TableLock lock)
{
	Oid namespace = get_namespace_oid(schema, true);
	Oid owner = relation_owner(airflow_dag_run(schema));

	if (!airflow_has_versions(schema))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("the Airflow tables in schema \"%s\" have no DAG versions", schema),
						errdetail("Pinning needs Airflow 3.0 or later: table dag_version and its "
								  "columns in dag_run."),
						errhint("Run \"airflow db migrate\" to Airflow 3 first.")));

	tables->schema = pstrdup(schema);
	tables->quoted_schema = pstrdup(quote_identifier(schema));
	tables->dag = airflow_relation(namespace, schema, "dag", owner, lock);
	tables->dag_run = airflow_relation(namespace, schema, "dag_run", owner, lock);
	tables->dag_version = airflow_relation(namespace, schema, "dag_version", owner, lock);
	tables->dag_code = airflow_relation(namespace, schema, "dag_code", owner, lock);
	tables->serialized_dag = airflow_relation(namespace, schema, "serialized_dag", owner, lock);
	tables->task_instance = airflow_relation(namespace, schema, "task_instance", owner, lock);
	tables->minor = airflow_minor(tables);
}

/*
 * Fill in "tables" for a schema that holds an Airflow 3, and take AccessShareLock on them. Raises a
 * plain error when it does not. Call it again in each transaction.
 */
void
airflow_tables(AirflowTables *tables, const char *schema)
{
	find_tables(tables, schema, LOCK_WAITING);
}

/* The same, but raises 55P03, telling who is in the way, rather than wait for a lock. */
void
airflow_tables_at_once(AirflowTables *tables, const char *schema)
{
	find_tables(tables, schema, LOCK_AT_ONCE);
}

/* The same without a lock, for who only asks whether it would succeed. */
void
airflow_tables_unlocked(AirflowTables *tables, const char *schema)
{
	find_tables(tables, schema, LOCK_NONE);
}
