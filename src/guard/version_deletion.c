/*
 * version_deletion.c
 *		The triggers that keep a pinned version from being deleted.
 *
 * Whatever deletes versions, those that a pin holds stay, with their rows in serialized_dag and
 * dag_code: the row trigger takes them out of the statement. The one exception is a row whose
 * parent is gone, which the foreign key's cascade takes along: "airflow dags delete"
 * (airflow/api/common/delete_dag.py) deletes the DAG and its versions in one transaction, in an
 * order that is never the same, and must work.
 *
 * "airflow db clean" (airflow/utils/db_cleanup.py) copies what it is about to delete into a table
 * _airflow_deleted__<table>__<time>, commits, deletes what is in the copy, and from 3.1 on starts
 * anew as long as there is something to delete. So it would never end when nothing but pinned
 * versions are left; then the statement trigger raises an error that it takes for "go on with the
 * next table": of class 55, an OperationalError. It is known by the copy, which its transaction has
 * a lock on.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "airflow/migration.h"
#include "airflow/tables.h"
#include "compat.h"
#include "guard/version_row.h"
#include "pin/pin.h"
#include "settings.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/trigger_call.h"

/* ARCHIVE_TABLE_PREFIX (airflow/utils/db_cleanup.py). */
#define ARCHIVE_PREFIX "_airflow_deleted__"

PG_FUNCTION_INFO_V1(airflow_pin_keep_version);
PG_FUNCTION_INFO_V1(airflow_pin_end_clean);

static bool
is_locked_by_me(Oid relation)
{
	LOCKTAG tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
	return lock_held_by_me(&tag, AccessShareLock);
}

/*
 * The copy from which "airflow db clean" deletes rows of "table" in this transaction, quoted with
 * its schema, or NULL. Airflow names no schema when it makes it, so that it may be in any.
 */
static char *
clean_archive(const char *table)
{
	char *prefix = psprintf("%s%s__", ARCHIVE_PREFIX, table);
	char *archive = NULL;
	Relation pg_class = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_class_relname, BTGreaterEqualStrategyNumber, F_NAMEGE,
				CStringGetDatum(prefix));
	scan = systable_beginscan(pg_class, ClassNameNspIndexId, true, NULL, 1, &key);
	while (archive == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (strncmp(NameStr(form->relname), prefix, strlen(prefix)) != 0)
			break;
		if (form->relkind == RELKIND_RELATION && is_locked_by_me(form->oid))
			archive = quote_qualified_identifier(get_namespace_name(form->relnamespace),
												 NameStr(form->relname));
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return archive;
}

/* Is there still the row that takes this one along when it is deleted? */
static bool
has_parent(TriggerData *trigger, const VersionTable *table, const char *dag_id, const Pin *pin)
{
	AirflowTables tables;
	OwnerScope scope;
	QueryArgs args = {0};
	bool found;

	SPI_connect();
	airflow_tables(&tables, get_namespace_name(RelationGetNamespace(trigger->tg_relation)));
	owner_scope_enter_foreign(&scope, tables.dag_version);
	arg_text(&args, dag_id);
	arg_uuid(&args, &pin->dag_version_id);
	query_run(strcmp(table->parent, "dag") == 0
				  ? psprintf("SELECT FROM %s.dag WHERE dag_id = $1 AND $2 IS NOT NULL",
							 tables.quoted_schema)
				  : psprintf("SELECT FROM %s.dag_version WHERE dag_id = $1 AND id = $2",
							 tables.quoted_schema),
			  &args, false, 1);
	found = SPI_processed > 0;
	owner_scope_leave(&scope);
	SPI_finish();
	return found;
}

/* "airflow db clean" deletes DAGs not parsed for long, and would take a pinned version along. */
static void
refuse_to_clean_dag(const char *dag_id, int32 version_number)
{
	if (clean_archive("dag") == NULL)
		return;
	ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
					errmsg("airflow_pin keeps DAG \"%s\": its version %d is pinned", dag_id,
						   version_number),
					errdetail("\"airflow db clean\" would delete the version with the DAG."),
					errhint("To have the DAG cleaned: SELECT airflow_pin.unpin(%s);",
							quote_literal_cstr(dag_id))));
}

/*
 * BEFORE DELETE FOR EACH ROW on serialized_dag, dag_version and dag_code.
 */
Datum
airflow_pin_keep_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_before_delete_row(fcinfo, "keep_version");
	Datum go_on = PointerGetDatum(trigger->tg_trigtuple);
	const VersionTable *table = version_table(RelationGetRelationName(trigger->tg_relation));
	const Pin *found;
	Pin pin; /* of the cache, which checking further may change */
	char *dag_id;
	bool for_rollback;

	if (!airflow_pin_enabled || table == NULL)
		return go_on;
	found = version_row_pin(trigger, table, &dag_id, &for_rollback);
	if (found == NULL)
		return go_on;
	pin = *found;
	if (transaction_migrates(RelationGetRelid(trigger->tg_relation)))
		return go_on;
	if (!has_parent(trigger, table, dag_id, &pin))
	{
		refuse_to_clean_dag(dag_id, pin.version_number);
		return go_on;
	}
	ereport(NOTICE,
			(for_rollback ? errmsg("airflow_pin keeps version %d of DAG \"%s\" in \"%s\": "
								   "rollback() goes to it",
								   pin.version_number, dag_id, table->name)
						  : errmsg("airflow_pin keeps version %d of DAG \"%s\" in \"%s\": it "
								   "is pinned",
								   pin.version_number, dag_id, table->name),
			 errhint("To delete it: SELECT airflow_pin.unpin(%s); or pin another version.",
					 quote_literal_cstr(dag_id))));
	return PointerGetDatum(NULL);
}

/* Was nothing deleted of what is in the copy, and is something of it still there? */
static bool
nothing_was_deleted(const char *schema, const char *archive)
{
	bool result;

	SPI_connect();
	query_run(psprintf("SELECT NOT EXISTS (SELECT FROM %2$s a WHERE NOT EXISTS (SELECT FROM"
					   " %1$s.dag_version v WHERE v.id OPERATOR(pg_catalog.=) a.id))"
					   " AND EXISTS (SELECT FROM %2$s)",
					   quote_identifier(schema), archive),
			  NULL, false, 1);
	result = row_bool(0, 1);
	SPI_finish();
	return result;
}

/*
 * AFTER DELETE FOR EACH STATEMENT on dag_version. Reads with the rights of the role that has just
 * deleted from the one by the other.
 */
Datum
airflow_pin_end_clean(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_after_delete_statement(fcinfo, "end_clean");
	char *schema = get_namespace_name(RelationGetNamespace(trigger->tg_relation));
	char *archive;

	if (!airflow_pin_enabled)
		return PointerGetDatum(NULL);
	archive = clean_archive("dag_version");
	if (archive == NULL || !nothing_was_deleted(schema, archive))
		return PointerGetDatum(NULL);
	ereport(
		ERROR,
		(errcode(ERRCODE_OBJECT_IN_USE),
		 errmsg("airflow_pin keeps the versions that \"airflow db clean\" has left"),
		 errdetail("They are pinned, or rollback() goes to them. It was to delete no others, and "
				   "would try again for ever without this "
				   "error."),
		 errhint("Nothing needs to be done. To have a version cleaned, unpin its DAG or pin "
				 "another version.")));
}
