/*
 * await_commit.c
 *		await_commit(): wait until a commit of a DAG is parsed, so that it can be pinned.
 *
 * dag.bundle_version is no sign of it: Airflow moves it before it has looked whether the commit
 * changes the DAG (dag/commit.c).
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "airflow/schema.h"
#include "airflow/tables.h"
#include "command/find_version.h"
#include "dag/commit.h"
#include "util/arguments.h"
#include "util/guarded.h"
#include "util/polling.h"

PG_FUNCTION_INFO_V1(airflow_pin_await_commit);

/* One look, for guarded_look(). */
typedef struct Look
{
	const char *dag_id;
	const char *commit;
	bool is_parsed;
	char *instead; /* what is parsed */
} Look;

static void
look(void *arg)
{
	Look *call = arg;
	AirflowTables tables;
	VersionCommit found;

	/* the timeout would not be kept while a migration is waited for */
	airflow_tables_at_once(&tables, airflow_schema());
	call->is_parsed = version_at_commit(&tables, call->dag_id, call->commit, &found);
	if (!call->is_parsed)
		call->instead = parsed_commits(&tables, call->dag_id);
}

/*
 * Is the commit parsed? If not, *instead is what is, in "context". Connects for itself, so that nothing
 * is left behind: no memory, snapshot or lock.
 */
static bool
is_parsed(const char *dag_id, const char *commit, MemoryContext context, char **instead)
{
	Look call = {.dag_id = dag_id, .commit = commit};
	ErrorData *error;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	error = guarded_look(look, &call);
	if (error != NULL && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	if (error != NULL)
		call.instead = error_sentences(error);
	if (!call.is_parsed)
		*instead = MemoryContextStrdup(context, call.instead);
	PopActiveSnapshot();
	SPI_commit();
	SPI_finish();
	return call.is_parsed;
}

/*
 * await_commit(dag_id, bundle_version, timeout, poll)
 */
Datum
airflow_pin_await_commit(PG_FUNCTION_ARGS)
{
	int64 timeout = polling_argument(fcinfo, 2, "timeout", 0);
	int64 poll = polling_argument(fcinfo, 3, "poll", 10 * 1000);
	TimestampTz start = GetCurrentTimestamp();
	MemoryContext poll_context = /* outlives transactions */
		AllocSetContextCreate(PortalContext, "airflow_pin await_commit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller_context = MemoryContextSwitchTo(PortalContext);
	char *dag_id = required_text(fcinfo, 0, "dag_id");
	char *commit = required_text(fcinfo, 1, "bundle_version");
	char *instead = NULL;

	require_no_transaction_block(fcinfo, "await_commit", await_commit_call(dag_id, commit));
	MemoryContextSwitchTo(poll_context);
	while (!is_parsed(dag_id, commit, poll_context, &instead))
	{
		TimestampTz now = GetCurrentTimestamp();

		if (now - start >= timeout)
			ereport(
				ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("commit \"%s\" of DAG \"%s\" was not parsed in time", commit, dag_id),
				 errdetail("%s", instead),
				 errhint("Check that the DAG processor runs, that the bundle follows the branch of "
						 "that commit, and that the DAG has no import error.")));
		wait_until(Min(now + poll, start + timeout));
		MemoryContextReset(poll_context);
	}
	MemoryContextSwitchTo(caller_context);
	MemoryContextDelete(poll_context);
	return (Datum) 0;
}
