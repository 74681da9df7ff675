/*
 * drain.c
 *		drain(): wait until Airflow has finished what it began.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "airflow/schema.h"
#include "health/in_flight.h"
#include "util/polling.h"

PG_FUNCTION_INFO_V1(airflow_pin_drain);

/* Append "3 dag_run (2 queued, 1 running)"; nothing where there is none of that kind. */
static void
describe_kind(StringInfo text, List *items, const char *kind)
{
	StringInfoData states;
	const char *state = NULL;
	int64 of_state = 0;
	int64 total = 0;
	ListCell *cell;

	initStringInfo(&states);
	foreach (cell, items)
	{
		const InFlight *item = lfirst(cell);

		if (strcmp(item->kind, kind) != 0)
			continue;
		if (item->unread.what != NULL)
		{
			appendStringInfo(text, "%s%s unknown (it %s)", text->len > 0 ? ", " : "", kind,
							 item->unread.what);
			return;
		}
		if (state != NULL && strcmp(state, item->state) != 0)
		{
			appendStringInfo(&states, "%s" INT64_FORMAT " %s", states.len > 0 ? ", " : "", of_state,
							 state);
			of_state = 0;
		}
		state = item->state;
		of_state += item->count;
		total += item->count;
	}
	if (state == NULL)
		return;
	appendStringInfo(&states, "%s" INT64_FORMAT " %s", states.len > 0 ? ", " : "", of_state, state);
	appendStringInfo(text, "%s" INT64_FORMAT " %s (%s)", text->len > 0 ? ", " : "", total, kind,
					 states.data);
}

/*
 * What is left, in "context"; NULL when nothing is. Connects for itself, so that nothing is left
 * behind: no memory, snapshot or lock.
 */
static char *
poll_once(MemoryContext context)
{
	StringInfoData left;
	List *items;
	char *result;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	initStringInfo(&left);
	items = in_flight_list(airflow_schema());
	describe_kind(&left, items, "dag_run");
	describe_kind(&left, items, "task_instance");
	describe_kind(&left, items, "backfill");
	result = left.len > 0 ? MemoryContextStrdup(context, left.data) : NULL;
	PopActiveSnapshot();
	SPI_commit();
	SPI_finish();
	return result;
}

/* Hours, minutes and seconds, whatever the IntervalStyle. */
static const char *
waited(TimestampTz start)
{
	int seconds = (int) ((GetCurrentTimestamp() - start) / USECS_PER_SEC);

	return psprintf("%02d:%02d:%02d", seconds / SECS_PER_HOUR,
					seconds / SECS_PER_MINUTE % MINS_PER_HOUR, seconds % SECS_PER_MINUTE);
}

/*
 * drain(timeout, poll)
 */
Datum
airflow_pin_drain(PG_FUNCTION_ARGS)
{
	int64 timeout = polling_argument(fcinfo, 0, "timeout", 0);
	int64 poll = polling_argument(fcinfo, 1, "poll", 10 * 1000);
	TimestampTz start = GetCurrentTimestamp();
	MemoryContext poll_context = /* outlives transactions */
		AllocSetContextCreate(PortalContext, "airflow_pin drain", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller_context;

	require_no_transaction_block(fcinfo, "drain", "CALL airflow_pin.drain();");
	caller_context = MemoryContextSwitchTo(poll_context);
	for (;;)
	{
		const char *left = poll_once(poll_context);
		TimestampTz now = GetCurrentTimestamp();

		if (left == NULL)
		{
			ereport(NOTICE, (errmsg("nothing is in flight after %s", waited(start))));
			break;
		}
		if (now - start >= timeout)
		{
			ereport(WARNING, (errmsg("still in flight after %s: %s", waited(start), left),
							  errhint("SELECT * FROM airflow_pin.in_flight(); shows what it is.")));
			break;
		}
		ereport(NOTICE, (errmsg("in flight after %s: %s", waited(start), left)));
		wait_until(Min(now + poll, start + timeout));
		MemoryContextReset(poll_context);
	}
	MemoryContextSwitchTo(caller_context);
	MemoryContextDelete(poll_context);
	return (Datum) 0;
}
