/*
 * schedule_probe.c
 *		src/schedule/ as a function of SQL, for test/airflow/schedule and test/sql: any moment can be "now".
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "schedule/schedule.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(schedule_probe);

/* Microseconds since 2000, so that nothing is lost on the way. */
static void
append_run(StringInfo out, const NextRun *next)
{
	if (out->len > 0)
		appendStringInfoChar(out, ' ');
	if (!next->exists)
		appendStringInfoString(out, "none");
	else if (next->logical_date != next->interval.start || next->run_after != next->interval.end)
		appendStringInfoString(out, "inconsistent");
	else
		appendStringInfo(out, INT64_FORMAT "/" INT64_FORMAT, next->interval.start,
						 next->interval.end);
}

/*
 * schedule_probe(data jsonb, minor int, last_start timestamptz, last_end timestamptz, now timestamptz,
 * count int): the next runs, each one the last before the next and begun when it was due.
 */
Datum
schedule_probe(PG_FUNCTION_ARGS)
{
	Schedule schedule;
	StringInfoData out;
	NextRun next;
	DataInterval last = {0};
	const DataInterval *known = NULL;
	TimestampTz now = PG_GETARG_TIMESTAMPTZ(4);
	const char *why = PG_ARGISNULL(0) ? schedule_read(NULL, &schedule)
									  : schedule_read(PG_GETARG_JSONB_P(0), &schedule);

	if (why != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(why));
	if (!PG_ARGISNULL(2) && !PG_ARGISNULL(3))
	{
		last.start = PG_GETARG_TIMESTAMPTZ(2);
		last.end = PG_GETARG_TIMESTAMPTZ(3);
		known = &last;
	}
	initStringInfo(&out);
	for (int i = 0; i < PG_GETARG_INT32(5); i++)
	{
		schedule_next_run(&schedule, PG_GETARG_INT32(1), known, now, &next);
		append_run(&out, &next);
		if (!next.exists)
			break;
		last = next.interval;
		known = &last;
		now = Max(now, next.run_after);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
