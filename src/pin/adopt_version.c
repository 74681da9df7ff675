/*
 * adopt_version.c
 *		The trigger on task_instance: what Airflow inserts into a rewritten run gets the run's version.
 *
 * Most task instances are the same in both versions, and would be written twice if they got their
 * version only at commit: the second time, with all indexes and foreign keys, costs as much as the
 * first. So enforce.c notes here which runs of this transaction it has rewritten. Nothing depends on
 * it: what was not set here is set at commit by reconcile.c, which compares all rows with the plan.
 *
 * A run is forgotten when the transaction ends, or the subtransaction that inserted it is rolled
 * back.
 */
#include "adopt_version.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "util/trigger_call.h"

/* A run that this transaction has rewritten; newest first, in TopTransactionContext. */
typedef struct RewrittenRun
{
	struct RewrittenRun *next;
	SubTransactionId subtransaction;
	pg_uuid_t requested;
	pg_uuid_t effective;
	bool adopted; /* a task instance got the version */
	char *dag_id;
	char *run_id;
} RewrittenRun;

static RewrittenRun *rewritten_runs;

PG_FUNCTION_INFO_V1(adopt_version);

static void
on_transaction_end(XactEvent event, void *arg pg_attribute_unused())
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		rewritten_runs = NULL;
}

static void
on_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
					  void *arg pg_attribute_unused())
{
	for (RewrittenRun **link = &rewritten_runs; *link != NULL;)
	{
		RewrittenRun *run = *link;

		if (event == SUBXACT_EVENT_ABORT_SUB && run->subtransaction == mine)
			*link = run->next;
		else
		{
			if (event == SUBXACT_EVENT_COMMIT_SUB && run->subtransaction == mine)
				run->subtransaction = parent;
			link = &run->next;
		}
	}
}

/*
 * From now on in this transaction, task instances of the run that are inserted with the version
 * "requested" get the version "effective".
 */
void
adopt_version_of_run(const char *dag_id, const char *run_id, const pg_uuid_t *requested,
					 const pg_uuid_t *effective)
{
	static bool registered;
	RewrittenRun *run = MemoryContextAllocZero(TopTransactionContext, sizeof(RewrittenRun));

	if (!registered)
	{
		RegisterXactCallback(on_transaction_end, NULL);
		RegisterSubXactCallback(on_subtransaction_end, NULL);
		registered = true;
	}
	run->subtransaction = GetCurrentSubTransactionId();
	run->requested = *requested;
	run->effective = *effective;
	run->dag_id = MemoryContextStrdup(TopTransactionContext, dag_id);
	run->run_id = MemoryContextStrdup(TopTransactionContext, run_id);
	run->next = rewritten_runs;
	rewritten_runs = run;
}

/* Did a task instance of the run get that version here? */
bool
version_was_adopted(const char *dag_id, const char *run_id, const pg_uuid_t *effective)
{
	for (const RewrittenRun *run = rewritten_runs; run != NULL; run = run->next)
		if (run->adopted && strcmp(run->run_id, run_id) == 0 && strcmp(run->dag_id, dag_id) == 0 &&
			memcmp(&run->effective, effective, sizeof(pg_uuid_t)) == 0)
			return true;
	return false;
}

/* An array of the run_ids of the DAG's runs that this transaction has rewritten. */
void
arg_rewritten_runs(QueryArgs *args, const char *dag_id)
{
	int count = 0;
	Datum *run_ids;

	for (const RewrittenRun *run = rewritten_runs; run != NULL; run = run->next)
		count++;
	run_ids = palloc(Max(count, 1) * sizeof(Datum));
	count = 0;
	for (const RewrittenRun *run = rewritten_runs; run != NULL; run = run->next)
		if (strcmp(run->dag_id, dag_id) == 0)
			run_ids[count++] = CStringGetTextDatum(run->run_id);
	arg_array(args, TEXTOID, run_ids, NULL, count);
}

/* The number of the column; 0 when there is none of that type. */
static int
column_of_type(TupleDesc desc, const char *name, Oid type)
{
	int number = SPI_fnumber(desc, name);

	return number > 0 && TupleDescAttr(desc, number - 1)->atttypid == type ? number : 0;
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
run_of_row(HeapTuple tuple, TupleDesc desc, int version_column)
{
	int dag_id = column_of_type(desc, "dag_id", VARCHAROID);
	int run_id = column_of_type(desc, "run_id", VARCHAROID);
	bool isnull;
	Datum version = heap_getattr(tuple, version_column, desc, &isnull);

	if (isnull || dag_id == 0 || run_id == 0)
		return NULL;
	for (RewrittenRun *run = rewritten_runs; run != NULL; run = run->next)
		if (memcmp(DatumGetUUIDP(version), &run->requested, sizeof(pg_uuid_t)) == 0 &&
			column_is(tuple, desc, run_id, run->run_id) &&
			column_is(tuple, desc, dag_id, run->dag_id))
			return run;
	return NULL;
}

/*
 * BEFORE INSERT FOR EACH ROW on task_instance.
 */
Datum
adopt_version(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_before_insert_row(fcinfo, "adopt_version");
	HeapTuple tuple = trigger->tg_trigtuple;
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	bool isnull = false;
	RewrittenRun *run;
	Datum version;
	int column;

	if (likely(rewritten_runs == NULL))
		return PointerGetDatum(tuple);
	column = column_of_type(desc, "dag_version_id", UUIDOID);
	run = column > 0 ? run_of_row(tuple, desc, column) : NULL;
	if (run == NULL)
		return PointerGetDatum(tuple);
	run->adopted = true;
	version = UUIDPGetDatum(&run->effective);
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, 1, &column, &version, &isnull));
}
