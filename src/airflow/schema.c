/*
 * schema.c
 *		In which schema Airflow's tables are.
 *
 * Everything is looked up by name in the system catalogs, without a lock on Airflow's tables: a
 * migration may hold ACCESS EXCLUSIVE on them for hours.
 */
#include "schema.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "airflow/attached_triggers.h"
#include "settings.h"

/*
 * Names of the schemas that hold Airflow tables: those with both dag_run and alembic_version.
 */
static List *
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

/*
 * A schema whose tables carry one of our triggers, or NULL.
 */
const char *
airflow_attached_schema(void)
{
	ListCell *cell;

	foreach (cell, airflow_schemas())
	{
		Oid namespace = get_namespace_oid(lfirst(cell), true);

		for (int i = 0; OidIsValid(namespace) && i < ATTACHED_TRIGGERS; i++)
		{
			Oid relation = get_relname_relid(attached_triggers[i].table, namespace);
			char *name;

			if (airflow_find_trigger(relation, &attached_triggers[i], &name) != ATTACH_MISSING)
				return lfirst(cell);
		}
	}
	return NULL;
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
 * Schema of Airflow's tables, or NULL where the database has none. Raises an error when there are
 * several and none is named.
 */
const char *
schema_or_none(void)
{
	if (airflow_pin_airflow_schema[0] == '\0' && airflow_schemas() == NIL)
		return NULL;
	return airflow_schema();
}

/* The same, with a NOTICE where there is none. */
const char *
health_schema(void)
{
	const char *schema = schema_or_none();

	if (schema == NULL)
		ereport(NOTICE, (errmsg("this database has no Airflow tables"),
						 errdetail("No schema has both dag_run and alembic_version."),
						 errhint("Connect to Airflow's metadata database, or set "
								 "airflow_pin.airflow_schema.")));
	return schema;
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
