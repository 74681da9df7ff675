/*
 * rewritten_runs.c
 *		The runs that this transaction has rewritten.
 *
 * enforce.c notes them for the trigger on task_instance (adopt_version.c). A run is forgotten when
 * the transaction ends, or the subtransaction that inserted it is rolled back.
 */
#include "rewritten_runs.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

RewrittenRun *rewritten_runs;

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

/* From now on in this transaction, the run is a rewritten one. */
void
rewritten_run_add(const ChangedRun *run)
{
	static bool registered;
	RewrittenRun *rewritten = MemoryContextAllocZero(TopTransactionContext, sizeof(RewrittenRun));

	if (!registered)
	{
		RegisterXactCallback(on_transaction_end, NULL);
		RegisterSubXactCallback(on_subtransaction_end, NULL);
		registered = true;
	}
	rewritten->subtransaction = GetCurrentSubTransactionId();
	rewritten->run = changed_run_copy(run, TopTransactionContext);
	rewritten->next = rewritten_runs;
	rewritten_runs = rewritten;
}

/* What became of the run's task instances when they were inserted; NULL when none was. */
Adoption *
rewritten_run_adoption(const ChangedRun *run)
{
	for (const RewrittenRun *rewritten = rewritten_runs; rewritten; rewritten = rewritten->next)
		if (strcmp(rewritten->run->run_id, run->run_id) == 0 &&
			strcmp(rewritten->run->dag_id, run->dag_id) == 0 &&
			memcmp(&rewritten->run->effective, &run->effective, sizeof(pg_uuid_t)) == 0)
			return rewritten->adoption;
	return NULL;
}

/* An array of the run_ids of the DAG's runs that this transaction has rewritten. */
void
arg_rewritten_runs(QueryArgs *args, const char *dag_id)
{
	int count = 0;
	Datum *run_ids;

	for (const RewrittenRun *rewritten = rewritten_runs; rewritten; rewritten = rewritten->next)
		count++;
	run_ids = palloc(Max(count, 1) * sizeof(Datum));
	count = 0;
	for (const RewrittenRun *rewritten = rewritten_runs; rewritten; rewritten = rewritten->next)
		if (strcmp(rewritten->run->dag_id, dag_id) == 0)
			run_ids[count++] = CStringGetTextDatum(rewritten->run->run_id);
	arg_array(args, TEXTOID, run_ids, NULL, count);
}
