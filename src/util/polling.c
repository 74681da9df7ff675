/*
 * polling.c
 *		Procedures that wait, and end a transaction at each look.
 */
#include "polling.h"

#include <limits.h>

#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "util/interval.h"

/* An argument of type interval, in microseconds: at least so many, and no more than 100 years. */
int64
polling_argument(FunctionCallInfo fcinfo, int argument, const char *name, int64 least)
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

/*
 * Between polls a transaction is ended, which cannot be done inside of somebody's. "alone" is the call
 * as it works.
 */
void
require_no_transaction_block(FunctionCallInfo fcinfo, const char *procedure, const char *alone)
{
	bool atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
				  castNode(CallContext, fcinfo->context)->atomic;

	if (atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("%s() cannot run inside a transaction block", procedure),
						errdetail("It ends a transaction at each poll, so that it holds nothing "
								  "while it waits."),
						errhint("Call it alone: %s", alone)));
}

void
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
