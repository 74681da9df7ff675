/*
 * relations.c
 *		Which tables are Airflow's and FAB's.
 *
 * A table in Airflow's schema is Airflow's when its name is one that the metadata of any supported
 * version has, whatever the version here: a migrated database keeps tables of earlier versions, and
 * a foreign table of a later version's name is in the way of the migration to it. Measured on real
 * databases of 2.11.2, 3.3.2 and 2.11.2 migrated to 3.3.2: no table is outside of this rule.
 *
 * Everything is read from pg_class and pg_inherits, without a lock on the tables.
 */
#include "relations.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "relation/relation.h"

/*
 * Tables of Airflow 2.10.5, 2.11.2, 3.0.6, 3.1.8, 3.2.2 and 3.3.2 (__tablename__ and Table() in the
 * wheels), "session" and "alembic_version", which are made elsewhere, and those of the Edge
 * provider. Tables named ab_* (FAB) and alembic_version_* need no entry.
 */
/* clang-format off */
static const char *const airflow_table_names[] = {
	"_xcom_archive", "alembic_version", "asset", "asset_active", "asset_alias",
	"asset_alias_asset", "asset_alias_asset_event", "asset_dag_run_queue", "asset_event",
	"asset_partition_dag_run", "asset_state_store", "asset_trigger", "asset_watcher", "backfill",
	"backfill_dag_run", "callback", "callback_request", "connection", "connection_test_request",
	"dag", "dag_bundle", "dag_bundle_team", "dag_code", "dag_favorite", "dag_owner_attributes",
	"dag_pickle", "dag_priority_parsing_request", "dag_run", "dag_run_note",
	"dag_schedule_asset_alias_reference", "dag_schedule_asset_name_reference",
	"dag_schedule_asset_reference", "dag_schedule_asset_uri_reference",
	"dag_schedule_dataset_alias_reference", "dag_schedule_dataset_reference", "dag_tag",
	"dag_version", "dag_warning", "dagrun_asset_event", "dagrun_dataset_event", "dataset",
	"dataset_alias", "dataset_alias_dataset", "dataset_alias_dataset_event",
	"dataset_dag_run_queue", "dataset_event", "deadline", "deadline_alert", "edge_job",
	"edge_logs", "edge_worker", "hitl_detail", "hitl_detail_history", "import_error", "job",
	"log", "log_template", "partitioned_asset_key_log", "rendered_task_instance_fields",
	"revoked_token", "serialized_dag", "session", "sla_miss", "slot_pool", "task_fail",
	"task_inlet_asset_reference", "task_instance", "task_instance_history", "task_instance_note",
	"task_map", "task_outlet_asset_reference", "task_outlet_dataset_reference",
	"task_reschedule", "task_state_store", "team", "trigger", "variable", "xcom",
};
/* clang-format on */

/* What migrations and "airflow db clean" leave behind; regular expressions of whole names. */
#define LEFTOVER_NAMES "_airflow_moved__.*|_airflow_deleted__.*|_xcom_archive|__airflow_tmp_xcom"
#define FAB_NAMES "ab_.*|_airflow_(moved|deleted)__(.*__)?ab_.*|alembic_version_fab|session"

/* Partitions count as tables of their own: the table above them has no file. */
static const char *const relations_sql =
	"WITH RECURSIVE relations AS ("
	" SELECT c.oid, c.relname, c.relname AS airflow_name FROM pg_class c"
	" WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'"
	" AND (c.relname = ANY ($2) OR c.relname ~ $3 OR c.relname ~ '^(ab_|alembic_version_)')"
	" UNION SELECT c.oid, c.relname, r.airflow_name FROM relations r"
	" JOIN pg_inherits i ON i.inhparent = r.oid JOIN pg_class c ON c.oid = i.inhrelid)"
	" SELECT DISTINCT ON (relname, oid) oid, relname, airflow_name ~ $4, airflow_name ~ $3"
	" FROM relations ORDER BY relname, oid";

static Datum
known_names(void)
{
	Datum names[lengthof(airflow_table_names)];

	for (int i = 0; i < (int) lengthof(airflow_table_names); i++)
		names[i] = DirectFunctionCall1(namein, CStringGetDatum(airflow_table_names[i]));
	return PointerGetDatum(
		construct_array(names, lengthof(names), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
}

/*
 * Airflow's and FAB's tables in the schema, by name: a list of AirflowRelation in the SPI
 * procedure's memory. Empty when there is no such schema.
 */
List *
airflow_relations(const char *schema)
{
	List *relations = NIL;
	QueryArgs args = {0};

	arg_datum(&args, OIDOID, ObjectIdGetDatum(get_namespace_oid(schema, true)));
	arg_datum(&args, NAMEARRAYOID, known_names());
	arg_text(&args, "^(" LEFTOVER_NAMES ")$");
	arg_text(&args, "^(" FAB_NAMES ")$");
	query_run(relations_sql, &args, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		AirflowRelation *relation = palloc(sizeof(AirflowRelation));

		relation->oid = row_oid(row, 1);
		relation->name = row_required_text(row, 2);
		relation->fab = row_bool(row, 3);
		relation->leftover = row_bool(row, 4);
		relations = lappend(relations, relation);
	}
	return relations;
}

/* How SQL calls a relation: a partition may be in another schema than its table. */
const char *
qualified_name(const AirflowRelation *relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation->oid)),
									  relation->name);
}

/* An SQL array of their OIDs, in their order. */
Datum
relation_oids(List *relations)
{
	Datum *oids = palloc((list_length(relations) + 1) * sizeof(Datum));
	int count = 0;
	ListCell *cell;

	foreach (cell, relations)
		oids[count++] = ObjectIdGetDatum(((const AirflowRelation *) lfirst(cell))->oid);
	return PointerGetDatum(construct_array(oids, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

/* Two arguments: their OIDs and their names, in their order. */
void
arg_relations(QueryArgs *args, List *relations)
{
	Datum *names = palloc((list_length(relations) + 1) * sizeof(Datum));
	int count = 0;
	ListCell *cell;

	foreach (cell, relations)
		names[count++] = CStringGetTextDatum(((const AirflowRelation *) lfirst(cell))->name);
	arg_datum(args, OIDARRAYOID, relation_oids(relations));
	arg_array(args, TEXTOID, names, NULL, count);
}

/*
 * OID of what has that name in the schema; InvalidOid: nothing. It may be a view, or have rules: to
 * read it, ask lock_to_read().
 */
Oid
airflow_relation_oid(const char *schema, const char *name)
{
	Oid namespace = get_namespace_oid(schema, true);

	return OidIsValid(namespace) ? get_relname_relid(name, namespace) : InvalidOid;
}

/* The same; raises 42P01 when there is none, and 42809 when it is not a table or has rules. */
Oid
required_relation(const char *schema, const char *name)
{
	Oid relation = airflow_relation_oid(schema, name);

	if (!OidIsValid(relation))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("schema \"%s\" has no table %s", schema, name),
						errhint("Check airflow_pin.airflow_schema.")));
	require_table(relation, schema, name);
	return relation;
}
