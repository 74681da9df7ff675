/*
 * timetable_text.c
 *		What Airflow calls a timetable: its summary and its description.
 *
 * They are of no consequence for what runs, but the UI shows them and filters by them. The summary of
 * each class is in airflow/timetables/: the cron expression, Python's str() of a timedelta or a
 * relativedelta. The description of a cron expression is made by a library for natural language
 * (cron_descriptor); who needs one looks for a DAG that has it (held_row.c).
 */
#include "hold/timetable_text.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "schedule/cron_expression.h"
#include "schedule/python_time.h"
#include "util/jsonb_member.h"

/* str() of a timedelta: "2 days, 1:00:00", "0:05:00", "0:00:00.500000" */
static char *
timedelta_text(double seconds)
{
	const int64 usec = (int64) rint(seconds * USECS_PER_SEC);
	int64 days = usec / USECS_PER_DAY;
	int64 rest = usec % USECS_PER_DAY;
	StringInfoData text;

	if (rest < 0)
	{
		days--;
		rest += USECS_PER_DAY;
	}
	initStringInfo(&text);
	if (days != 0)
		appendStringInfo(&text, INT64_FORMAT " day%s, ", days, days == 1 || days == -1 ? "" : "s");
	appendStringInfo(&text, "%d:%02d:%02d", (int) (rest / USECS_PER_HOUR),
					 (int) (rest / USECS_PER_MINUTE % MINS_PER_HOUR),
					 (int) (rest / USECS_PER_SEC % SECS_PER_MINUTE));
	if (rest % USECS_PER_SEC != 0)
		appendStringInfo(&text, ".%06d", (int) (rest % USECS_PER_SEC));
	return text.data;
}

static void
add_separated(StringInfo text, const char *item)
{
	if (text->data[text->len - 1] != '(')
		appendStringInfoString(text, ", ");
	appendStringInfoString(text, item);
}

/* "MO", or "MO(+2)" */
static char *
weekday_text(JsonbContainer *weekday)
{
	static const char *const names[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
	double day;
	double nth;

	if (weekday == NULL || !JsonContainerIsArray(weekday) || JsonContainerSize(weekday) < 1 ||
		!json_double(getIthJsonbValueFromContainer(weekday, 0), &day) || !(day >= 0 && day <= 6))
		return NULL;
	if (JsonContainerSize(weekday) < 2 ||
		!json_double(getIthJsonbValueFromContainer(weekday, 1), &nth))
		return pstrdup(names[(int) day]);
	return psprintf("%s(%+d)", names[(int) day], (int) nth);
}

/* repr() of a relativedelta: "relativedelta(months=+1, day=15)" */
static char *
relativedelta_text(JsonbContainer *object)
{
	static const char *const relative[] = {"years", "months",  "days",	  "leapdays",
										   "hours", "minutes", "seconds", "microseconds"};
	static const char *const absolute[] = {"year", "month",	 "day",	   "weekday",
										   "hour", "minute", "second", "microsecond"};
	StringInfoData text;
	double number;

	initStringInfo(&text);
	appendStringInfoString(&text, "relativedelta(");
	for (int i = 0; i < (int) lengthof(relative); i++)
		if (json_double(json_member(object, relative[i]), &number) && number != 0)
			add_separated(&text, psprintf("%s=%+g", relative[i], number));
	for (int i = 0; i < (int) lengthof(absolute); i++)
	{
		char *weekday = strcmp(absolute[i], "weekday") == 0
							? weekday_text(json_child(object, "weekday"))
							: NULL;

		if (weekday != NULL)
			add_separated(&text, psprintf("weekday=%s", weekday));
		else if (json_double(json_member(object, absolute[i]), &number))
			add_separated(&text, psprintf("%s=%g", absolute[i], number));
	}
	appendStringInfoChar(&text, ')');
	return text.data;
}

static char *
delta_text(JsonbContainer *arguments)
{
	JsonbValue *value = json_member(arguments, "delta");
	double seconds;

	if (value != NULL && value->type == jbvBinary)
		return relativedelta_text(value->val.binary.data);
	return json_double(value, &seconds) ? timedelta_text(seconds) : pstrdup("");
}

/* The SDK of 3.2 serializes a preset by its name, and Airflow reads it as what it stands for. */
static char *
cron_text(JsonbContainer *arguments)
{
	JsonbValue *expression = json_member(arguments, "expression");
	char *text =
		expression != NULL && expression->type == jbvString ? json_string(expression) : NULL;
	char *preset = text ? cron_preset(text) : NULL;

	if (text == NULL)
		return pstrdup("");
	return preset ? preset : text;
}

static char *
cron_list_text(JsonbContainer *arguments)
{
	JsonbContainer *list = json_child(arguments, "expressions");
	int count = list != NULL && JsonContainerIsArray(list) ? JsonContainerSize(list) : 0;
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < count; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(list, i);

		if (item->type == jbvString)
			appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", json_string(item));
	}
	return text.data;
}

/*
 * timetable.summary, of the body of a serialized DAG that "schedule" was read from.
 */
char *
timetable_summary(JsonbContainer *dag, const Schedule *schedule)
{
	JsonbContainer *arguments = json_child(json_child(dag, "timetable"), "__var");

	switch (schedule->kind)
	{
		case TIMETABLE_NULL:
			return pstrdup("None");
		case TIMETABLE_ONCE:
			return pstrdup("@once");
		case TIMETABLE_CONTINUOUS:
			return pstrdup("@continuous");
		case TIMETABLE_CRON_INTERVAL:
		case TIMETABLE_CRON_TRIGGER:
			return cron_text(arguments);
		case TIMETABLE_MULTIPLE_CRON_TRIGGER:
			return cron_list_text(arguments);
		case TIMETABLE_DELTA_INTERVAL:
		case TIMETABLE_DELTA_TRIGGER:
			return delta_text(arguments);
	}
	return pstrdup("");
}

/* timetable.description, or NULL where that is made of a cron expression. */
const char *
timetable_description(const Schedule *schedule)
{
	switch (schedule->kind)
	{
		case TIMETABLE_NULL:
			return "Never, external triggers only";
		case TIMETABLE_ONCE:
			return "Once, as soon as possible";
		case TIMETABLE_CONTINUOUS:
			return "As frequently as possible, but only one run at a time.";
		case TIMETABLE_DELTA_INTERVAL:
		case TIMETABLE_DELTA_TRIGGER:
			return "";
		case TIMETABLE_CRON_INTERVAL:
		case TIMETABLE_CRON_TRIGGER:
		case TIMETABLE_MULTIPLE_CRON_TRIGGER:
			break;
	}
	return NULL;
}
