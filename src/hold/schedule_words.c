/*
 * schedule_words.c
 *		A version's schedule and limits in words, for diff().
 */
#include "hold/schedule_words.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "dag/serialized_dag.h"
#include "hold/timetable_text.h"
#include "schedule/schedule.h"
#include "util/jsonb_member.h"

/* " in Europe/Berlin" of a timetable that has a time zone. */
static void
add_zone(StringInfo words, JsonbContainer *dag)
{
	JsonbContainer *arguments = json_child(json_child(dag, "timetable"), "__var");
	JsonbValue *zone = json_member(arguments, "timezone");

	if (zone != NULL && zone->type == jbvString)
		appendStringInfo(words, " in %s", json_string(zone));
	else if (zone != NULL)
		appendStringInfoString(words, " at a fixed offset");
}

static void
add_timetable(StringInfo words, JsonbContainer *dag, const Schedule *schedule)
{
	const char *summary = timetable_summary(dag, schedule);

	switch (schedule->kind)
	{
		case TIMETABLE_NULL:
			appendStringInfoString(words, "never by itself");
			return;
		case TIMETABLE_ONCE:
			appendStringInfoString(words, "once");
			return;
		case TIMETABLE_CONTINUOUS:
			appendStringInfoString(words, "one run after the other");
			return;
		case TIMETABLE_CRON_INTERVAL:
			appendStringInfo(words, "at the end of each interval of cron \"%s\"", summary);
			break;
		case TIMETABLE_CRON_TRIGGER:
		case TIMETABLE_MULTIPLE_CRON_TRIGGER:
			appendStringInfo(words, "at each time of cron \"%s\"", summary);
			break;
		case TIMETABLE_DELTA_INTERVAL:
			appendStringInfo(words, "at the end of each interval of %s", summary);
			break;
		case TIMETABLE_DELTA_TRIGGER:
			appendStringInfo(words, "every %s", summary);
			break;
	}
	add_zone(words, dag);
	appendStringInfoString(words, schedule->catchup ? ", making up for what was missed"
													: ", without catchup");
}

static char *
utc_text(TimestampTz time)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) != 0)
		return pstrdup("?");
	return psprintf("%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/*
 * When the version runs, or why that cannot be told: in which case it follows something else than time.
 */
char *
schedule_words(Jsonb *data)
{
	StringInfoData words;
	Schedule schedule;
	const char *why = schedule_read(data, &schedule);

	if (why != NULL)
		return pstrdup(why);
	initStringInfo(&words);
	add_timetable(&words, serialized_dag_body(data), &schedule);
	if (schedule.has_earliest)
		appendStringInfo(&words, ", from %s", utc_text(schedule.earliest));
	if (schedule.has_latest)
		appendStringInfo(&words, ", until %s", utc_text(schedule.latest));
	return words.data;
}

static void
add_limit(StringInfo words, int32 limit, const char *what)
{
	appendStringInfoString(words, words->len > 0 ? ", " : "");
	if (limit == LIMIT_CONFIGURED)
		appendStringInfo(words, "%s as configured", what);
	else
		appendStringInfo(words, "%d %s", limit, what);
}

/* How much of it at once, or NULL where that is not known. */
char *
limit_words(Jsonb *data)
{
	StringInfoData words;
	Schedule schedule;

	if (schedule_read(data, &schedule) != NULL)
		return NULL;
	initStringInfo(&words);
	add_limit(&words, schedule.max_active_runs, "active runs");
	add_limit(&words, schedule.max_active_tasks, "active tasks");
	if (schedule.max_consecutive_failed_dag_runs != 0)
		add_limit(&words, schedule.max_consecutive_failed_dag_runs,
				  "failed runs until it is paused");
	if (schedule.has_task_concurrency_limits)
		appendStringInfoString(&words, ", tasks with limits of their own");
	if (schedule.fail_fast)
		appendStringInfoString(&words, ", the first failed task fails the run");
	return words.data;
}
