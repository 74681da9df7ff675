/*
 * catalog.c
 *		Where Airflow's tables are.
 *
 * Everything is looked up by name in the system catalogs, without a lock on Airflow's tables: a
 * migration may hold ACCESS EXCLUSIVE on them for hours.
 */
#include "catalog.h"

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

#include "airflow_pin.h"
#include "airflow/attached_triggers.h"
#include "util/lock_blockers.h"
#include "util/owner_scope.h"

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

/*
 * Names of the schemas that hold Airflow tables: those with both dag_run and alembic_version.
 */
List *
airflow_schemas(void)
{
	List *schemas = NIL;
	Relation pg_class = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_class_relname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("dag_run"));
	scan = systable_beginscan(pg_class, ClassNameNspIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		char *name;

		if ((form->relkind == RELKIND_RELATION || form->relkind == RELKIND_PARTITIONED_TABLE) &&
			form->relpersistence != RELPERSISTENCE_TEMP &&
			OidIsValid(get_relname_relid("alembic_version", form->relnamespace)) &&
			(name = get_namespace_name(form->relnamespace)) != NULL)
			schemas = lappend(schemas, name);
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return schemas;
}

static char *
quoted_list(List *schemas)
{
	StringInfoData names;
	ListCell *cell;

	initStringInfo(&names);
	foreach (cell, schemas)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
						 (const char *) lfirst(cell));
	return names.data;
}

static void
raise_ambiguous_schema(List *schemas)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_SCHEMA_NAME), errmsg("several schemas have Airflow tables"),
			 errdetail("They are %s.", quoted_list(schemas)),
			 errhint("Name one: SELECT airflow_pin.attach('<schema>'); or set "
					 "airflow_pin.airflow_schema.")));
}

/* A name that is misspelt must not pass for an Airflow that has nothing in flight. */
static void
require_airflow_schema(const char *schema)
{
	Oid namespace = get_namespace_oid(schema, true);
	List *schemas;

	if (OidIsValid(namespace) && OidIsValid(get_relname_relid("dag_run", namespace)))
		return;
	schemas = airflow_schemas();
	ereport(ERROR, (errcode(ERRCODE_INVALID_SCHEMA_NAME),
					OidIsValid(namespace) ? errmsg("schema \"%s\" has no Airflow tables", schema)
										  : errmsg("schema \"%s\" does not exist", schema),
					errdetail("airflow_pin.airflow_schema names it."),
					schemas ? errhint("Airflow's tables are in %s.", quoted_list(schemas))
							: errhint("No schema has both dag_run and alembic_version: connect to "
									  "the metadata database.")));
}

/*
 * Name of the schema with Airflow's tables: the setting, else the attached one, else the only one.
 * Raises an error when there is none, or several, or the setting names one without such tables.
 */
const char *
airflow_schema(void)
{
	const char *attached;
	List *schemas;

	if (airflow_pin_airflow_schema[0] != '\0')
	{
		require_airflow_schema(airflow_pin_airflow_schema);
		return pstrdup(airflow_pin_airflow_schema);
	}
	if ((attached = airflow_attached_schema()) != NULL)
		return attached;

	schemas = airflow_schemas();
	if (schemas == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("this database has no Airflow tables"),
				 errdetail("No schema has both dag_run and alembic_version."),
				 errhint("Connect to the metadata database, or set airflow_pin.airflow_schema.")));
	if (list_length(schemas) > 1)
		raise_ambiguous_schema(schemas);
	return linitial(schemas);
}

/*
 * Are these the tables of an Airflow that has DAG versions (3.0 or later)?
 */
bool
airflow_has_versions(const char *schema)
{
	Oid namespace = get_namespace_oid(schema, true);
	Oid dag_run = OidIsValid(namespace) ? get_relname_relid("dag_run", namespace) : InvalidOid;

	return OidIsValid(dag_run) && OidIsValid(get_relname_relid("dag_version", namespace)) &&
		   get_attnum(dag_run, "created_dag_version_id") != InvalidAttrNumber &&
		   get_attnum(dag_run, "bundle_version") != InvalidAttrNumber;
}

/*
 * OID of one of Airflow's tables, locked against being dropped or replaced until the end of the
 * transaction. Each must be a plain table of the same owner: what is read in one owner's name must
 * not be a view, or a table, that somebody else put in its place.
 */
static Oid
airflow_relation(Oid namespace, const char *schema, const char *name, Oid owner, bool wait)
{
	Oid relation = get_relname_relid(name, namespace);

	if (OidIsValid(relation) && wait)
		LockRelationOid(relation, AccessShareLock);
	else if (OidIsValid(relation) && !ConditionalLockRelationOid(relation, AccessShareLock))
		raise_locked(relation, AccessShareLock, schema, name,
					 "Try again when the migration, or whatever else holds it, is done.");
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
	if (get_attnum(tables->dag_run, "triggering_user_name") != InvalidAttrNumber)
		return AIRFLOW_3_1;
	return AIRFLOW_3_0;
}

static void
find_tables(AirflowTables *tables, const char *schema, bool wait)
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
	tables->dag = airflow_relation(namespace, schema, "dag", owner, wait);
	tables->dag_run = airflow_relation(namespace, schema, "dag_run", owner, wait);
	tables->dag_version = airflow_relation(namespace, schema, "dag_version", owner, wait);
	tables->dag_code = airflow_relation(namespace, schema, "dag_code", owner, wait);
	tables->serialized_dag = airflow_relation(namespace, schema, "serialized_dag", owner, wait);
	tables->task_instance = airflow_relation(namespace, schema, "task_instance", owner, wait);
	tables->minor = airflow_minor(tables);
}

/*
 * Fill in "tables" for a schema that holds an Airflow 3, and take AccessShareLock on them. Raises a
 * plain error when it does not. Call it again in each transaction.
 */
void
airflow_tables(AirflowTables *tables, const char *schema)
{
	find_tables(tables, schema, true);
}

/* The same, but raises 55P03, telling who is in the way, rather than wait for a lock. */
void
airflow_tables_at_once(AirflowTables *tables, const char *schema)
{
	find_tables(tables, schema, false);
}
