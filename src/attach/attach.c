/*
 * attach.c
 *		attach() and detach(): the triggers on Airflow's tables.
 *
 * They have no column list and no WHEN clause, which would make a later migration fail, and are
 * marked as depending on the extension: DROP EXTENSION takes them along without CASCADE. attach()
 * also mends what a restore or a switchover has left of the extension's own triggers and sequences.
 */
#include "postgres.h"

#include "airflow/attached_triggers.h"
#include "airflow/needed_columns.h"
#include "airflow/schema.h"
#include "airflow/tables.h"
#include "airflow_pin.h"
#include "attach/dump_rights.h"
#include "attach/next_ids.h"
#include "attach/old_sessions.h"
#include "attach/own_triggers.h"
#include "relation/relation.h"
#include "relation/table_ddl.h"
#include "util/interval.h"

#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

StaticAssertDecl(3 * ATTACHED_TRIGGERS + OWN_TRIGGERS <= TABLE_DDL_MAX_STATEMENTS,
				 "attach() may need three statements a trigger, and one for each of our own");

PG_FUNCTION_INFO_V1(airflow_pin_attach);
PG_FUNCTION_INFO_V1(airflow_pin_detach);

static int
interval_milliseconds(const Interval *interval)
{
	int64 milliseconds = interval_microseconds(interval) / 1000;

	if (milliseconds < 1 || milliseconds > PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("lock_timeout must be between 1 ms and 24 days"),
						errhint("The default is 2 seconds.")));
	return (int) milliseconds;
}

/* Raise an error when the tables are not what pins can be enforced on. */
static void
require_columns(const AirflowTables *tables)
{
	const NeededColumn *missing = needed_column_missing(get_rel_namespace(tables->dag_run));

	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s.%s\" is not the %s of Airflow 3", tables->schema,
						missing->table, missing->table),
				 errdetail("It has no column \"%s\" of the type that it has in Airflow 3.",
						   missing->name),
				 errhint("Upgrade airflow_pin to a release that knows this Airflow version.")));
}

static void
refuse_second_schema(const char *schema)
{
	const char *attached = airflow_attached_schema();

	if (attached != NULL && strcmp(attached, schema) != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("airflow_pin is attached to schema \"%s\"", attached),
						errdetail("Pins are of one Airflow in each database."),
						errhint("Run: SELECT airflow_pin.detach();")));
}

/* The statements that put a trigger there, or mend one that is disabled or was made otherwise. */
static void
add_trigger(TableDdl *ddl, const char *schema, const AttachedTrigger *trigger)
{
	Oid relation = get_relname_relid(trigger->table, get_namespace_oid(schema, false));
	char *table = quote_qualified_identifier(schema, trigger->table);
	char *name;
	AttachState state = airflow_find_trigger(relation, trigger, &name);

	if (state == ATTACH_PRESENT)
		return;
	if (trigger->came_with_update)
		require_new_sessions(trigger->table);
	if (state == ATTACH_DISABLED)
		table_ddl_add(ddl, trigger->table, relation,
					  psprintf("DROP TRIGGER %s ON %s", quote_identifier(name), table));
	table_ddl_add(
		ddl, trigger->table, relation,
		psprintf("CREATE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION airflow_pin.%s()",
				 trigger->name, trigger->event, table,
				 TRIGGER_FOR_ROW(trigger->type) ? "ROW" : "STATEMENT", trigger->function));
	table_ddl_add(
		ddl, trigger->table, relation,
		psprintf("ALTER TRIGGER %s ON %s DEPENDS ON EXTENSION airflow_pin", trigger->name, table));
}

/* The statement that mends a trigger on one of the extension's own tables. */
static void
mend_own_trigger(TableDdl *ddl, const OwnTrigger *trigger)
{
	if (!own_trigger_is_as_installed(trigger))
		table_ddl_add(ddl, trigger->table, pin_relation(trigger->table),
					  psprintf("ALTER TABLE %s.%s ENABLE %sTRIGGER %s", PIN_SCHEMA, trigger->table,
							   trigger->always ? "ALWAYS " : "", trigger->name));
}

static void
prepare_attach(TableDdl *ddl)
{
	AirflowTables tables;

	airflow_tables(&tables, ddl->schema);
	require_columns(&tables);
	refuse_second_schema(ddl->schema);
	for (int i = 0; i < ATTACHED_TRIGGERS; i++)
		if (attached_trigger_exists(&attached_triggers[i]))
			add_trigger(ddl, ddl->schema, &attached_triggers[i]);
	for (int i = 0; i < OWN_TRIGGERS; i++)
		if (own_trigger_exists(&own_triggers[i]))
			mend_own_trigger(ddl, &own_triggers[i]);
	next_ids_advance();
	dump_rights_grant(tables.dag_run);
}

/*
 * attach(airflow_schema name, lock_timeout interval)
 */
Datum
airflow_pin_attach(PG_FUNCTION_ARGS)
{
	TableDdl ddl = {.lock_timeout = TABLE_DDL_LOCK_TIMEOUT,
					.lock = ShareRowExclusiveLock,
					.prepare = prepare_attach};

	ddl.schema = PG_ARGISNULL(0) ? airflow_schema() : NameStr(*PG_GETARG_NAME(0));
	if (!PG_ARGISNULL(1))
		ddl.lock_timeout = interval_milliseconds(PG_GETARG_INTERVAL_P(1));
	table_ddl_run(&ddl);
	PG_RETURN_VOID();
}

static void
prepare_detach(TableDdl *ddl)
{
	for (int i = 0; i < ATTACHED_TRIGGERS; i++)
	{
		const AttachedTrigger *trigger = &attached_triggers[i];
		Oid relation = get_relname_relid(trigger->table, get_namespace_oid(ddl->schema, false));
		char *name;

		if (airflow_find_trigger(relation, trigger, &name) != ATTACH_MISSING)
			table_ddl_add(ddl, trigger->table, relation,
						  psprintf("DROP TRIGGER %s ON %s", quote_identifier(name),
								   quote_qualified_identifier(ddl->schema, trigger->table)));
	}
}

/*
 * detach()
 */
Datum
airflow_pin_detach(PG_FUNCTION_ARGS)
{
	const char *schema;

	while ((schema = airflow_attached_schema()) != NULL)
	{
		TableDdl ddl = {.lock_timeout = TABLE_DDL_LOCK_TIMEOUT,
						.lock = AccessExclusiveLock,
						.prepare = prepare_detach};

		ddl.schema = schema;
		table_ddl_run(&ddl);
	}
	PG_RETURN_VOID();
}
