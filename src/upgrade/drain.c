/*
 * drain.c
 *		drain(): wait until Airflow has finished what it began.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "airflow/schema.h"
#include "health/in_flight.h"
#include "util/interval.h"

PG_FUNCTION_INFO_V1(airflow_pin_drain);

static int64
interval_argument(FunctionCallInfo fcinfo, int argument, const char *name, int64 least)
{
	int64 microseconds;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s is NULL", name)));
	microseconds = interval_microseconds(PG_GETARG_INTERVAL_P(argument));
	if (microseconds < least || microseconds > MAX_INTERVAL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be between %g seconds and 100 years", name,
							   (double) least / USECS_PER_SEC)));
	return microseconds;
}

/* Between polls a transaction is ended, which cannot be done inside of somebody's. */
static void
require_no_transaction_block(FunctionCallInfo fcinfo)
{
	bool atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
				  castNode(CallContext, fcinfo->context)->atomic;

	if (atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("drain() cannot run inside a transaction block"),
						errdetail("It ends a transaction at each poll, so that it holds nothing "
								  "while it waits."),
						errhint("Call it alone: CALL airflow_pin.drain();")));
}

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

static void
wait_until(TimestampTz until)
{
	for (;;)
	{
		long milliseconds = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		CHECK_FOR_INTERRUPTS();
		if (milliseconds <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(milliseconds, INT_MAX), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
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
	int64 timeout = interval_argument(fcinfo, 0, "timeout", 0);
	int64 poll = interval_argument(fcinfo, 1, "poll", 10 * 1000);
	TimestampTz start = GetCurrentTimestamp();
	MemoryContext poll_context = /* outlives transactions */
		AllocSetContextCreate(PortalContext, "airflow_pin drain", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller_context;

	require_no_transaction_block(fcinfo);
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
