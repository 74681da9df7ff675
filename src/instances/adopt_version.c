/*
 * adopt_version.c
 *		The trigger on task_instance: what Airflow inserts into a rewritten run becomes the run's.
 *
 * Every task instance comes through here, so the way of one of another run is short: a look whether
 * this transaction has rewritten any run.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "instances/adoption.h"
#include "instances/changed_run.h"
#include "instances/derived_columns.h"
#include "instances/rewritten_runs.h"
#include "util/trigger_call.h"

PG_FUNCTION_INFO_V1(airflow_pin_adopt_version);

/* The number of the column; 0 when there is none of that type. */
static int
column_of_type(TupleDesc desc, const char *name, Oid type)
{
	int number = SPI_fnumber(desc, name);
	Oid actual = number > 0 ? TupleDescAttr(desc, number - 1)->atttypid : InvalidOid;

	return actual == type || (type == TEXTOID && actual == VARCHAROID) ? number : 0;
}

static void
find_columns(Relation relation, TaskInstanceColumns *columns)
{
	TupleDesc desc = RelationGetDescr(relation);

	columns->dag_id = column_of_type(desc, "dag_id", TEXTOID);
	columns->run_id = column_of_type(desc, "run_id", TEXTOID);
	columns->version = column_of_type(desc, "dag_version_id", UUIDOID);
	columns->task_id = column_of_type(desc, "task_id", TEXTOID);
	columns->map_index = column_of_type(desc, "map_index", INT4OID);
	for (int i = 0; i < DERIVED_COLUMNS; i++)
		columns->derived[i] =
			column_of_type(desc, derived_columns[i].name, derived_columns[i].type);
}

/* The table's columns, found once a statement: so long the function is not looked up again. */
static const TaskInstanceColumns *
columns_of_statement(FmgrInfo *function, Relation relation)
{
	if (function->fn_extra == NULL)
	{
		TaskInstanceColumns *columns =
			MemoryContextAlloc(function->fn_mcxt, sizeof(TaskInstanceColumns));

		find_columns(relation, columns);
		columns->schema = MemoryContextStrdup(function->fn_mcxt,
											  get_namespace_name(RelationGetNamespace(relation)));
		function->fn_extra = columns;
	}
	return function->fn_extra;
}

static bool
column_is(HeapTuple tuple, TupleDesc desc, int column, const char *expected)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);
	text *actual;

	if (isnull)
		return false;
	actual = DatumGetTextPP(value);
	return VARSIZE_ANY_EXHDR(actual) == strlen(expected) &&
		   memcmp(VARDATA_ANY(actual), expected, strlen(expected)) == 0;
}

/* The rewritten run that the row belongs to and has the version of that was asked for, or NULL. */
static RewrittenRun *
run_of_row(HeapTuple tuple, TupleDesc desc, const TaskInstanceColumns *columns)
{
	bool isnull;
	Datum version;

	if (columns->version == 0 || columns->dag_id == 0 || columns->run_id == 0)
		return NULL;
	version = heap_getattr(tuple, columns->version, desc, &isnull);
	if (isnull)
		return NULL;
	for (RewrittenRun *rewritten = rewritten_runs; rewritten; rewritten = rewritten->next)
	{
		const ChangedRun *run = rewritten->run;

		if (memcmp(DatumGetUUIDP(version), &run->requested, sizeof(pg_uuid_t)) == 0 &&
			column_is(tuple, desc, columns->run_id, run->run_id) &&
			column_is(tuple, desc, columns->dag_id, run->dag_id) &&
			strcmp(columns->schema, run->airflow_schema) == 0)
			return rewritten;
	}
	return NULL;
}

/*
 * BEFORE INSERT FOR EACH ROW on task_instance.
 */
Datum
airflow_pin_adopt_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_before_insert_row(fcinfo, "adopt_version");
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	const TaskInstanceColumns *columns;
	RewrittenRun *rewritten;

	if (likely(rewritten_runs == NULL))
		return PointerGetDatum(trigger->tg_trigtuple);
	columns = columns_of_statement(fcinfo->flinfo, trigger->tg_relation);
	rewritten = run_of_row(trigger->tg_trigtuple, desc, columns);
	if (rewritten == NULL)
		return PointerGetDatum(trigger->tg_trigtuple);
	if (rewritten->adoption == NULL)
		rewritten->adoption = adoption_begin(rewritten->run, desc, columns);
	return PointerGetDatum(
		adoption_change_row(rewritten->adoption, trigger->tg_trigtuple, desc, columns));
}
