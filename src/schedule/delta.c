/*
 * delta.c
 *		Python's timedelta and dateutil's relativedelta.
 *
 * As encode_interval() and decode_interval() of Airflow write and read them: seconds, or an object with the
 * fields of a relativedelta. What is added to a date, and in which order, is that of relativedelta.__add__()
 * and __neg__() (dateutil/relativedelta.py). Airflow's dates are in UTC then, so that no zone is asked.
 */
#include "schedule/delta.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/datetime.h"

#include "util/jsonb_member.h"

#define MONTHS 12

/* Larger numbers lead beyond the last year. */
#define MAX_NUMBER 1e9
#define MAX_WEEKS 1e6

static const char *const setting_names[DELTA_SETTINGS] = {"year",	"month",  "day",		"hour",
														  "minute", "second", "microsecond"};

/* Read a number that may not be there. Returns whether it is; "why" when it is there and no such number. */
static bool
read_number(JsonbContainer *object, const char *name, bool is_whole, double *number,
			const char **why)
{
	JsonbValue *value = json_member(object, name);

	if (value == NULL)
		return false;
	if (!json_double(value, number) || !(fabs(*number) < MAX_NUMBER) ||
		(is_whole && *number != rint(*number)))
		*why = psprintf("Field \"%s\" of a relativedelta has no value that can be computed.", name);
	return true;
}

/* {"weekday": [4, 2]} is the second Friday. */
static bool
read_weekday(JsonbContainer *object, Delta *delta, const char **why)
{
	JsonbContainer *array = json_child(object, "weekday");
	double numbers[2] = {0, 1};
	int size = array != NULL && JsonContainerIsArray(array) ? JsonContainerSize(array) : 0;

	delta->weekday = -1;
	if (json_member(object, "weekday") == NULL)
		return false;
	for (int i = 0; i < Min(size, 2); i++)
		if (!json_double(getIthJsonbValueFromContainer(array, i), &numbers[i]) ||
			numbers[i] != rint(numbers[i]) || !(fabs(numbers[i]) < MAX_WEEKS))
			size = 0;
	if (size < 1 || size > 2 || numbers[0] < 0 || numbers[0] > 6 || numbers[1] == 0)
		*why = "Field \"weekday\" of a relativedelta has no value that can be computed.";
	else
	{
		delta->weekday = (int32) numbers[0];
		delta->nth_weekday = (int32) numbers[1];
	}
	return true;
}

/* Carry what is more than "limit" of one unit into the next: a step of relativedelta._fix(). */
static void
carry(double *number, double limit, double *next)
{
	const double sign = *number < 0 ? -1 : 1;
	const double size = *number * sign;

	if (size <= limit - 1)
		return;
	*next += floor(size / limit) * sign;
	*number = fmod(size, limit) * sign;
}

static void
carry_all(Delta *delta, double years, double months)
{
	PythonDuration *duration = &delta->duration;

	carry(&duration->microseconds, USECS_PER_SEC, &duration->seconds);
	carry(&duration->seconds, SECS_PER_MINUTE, &duration->minutes);
	carry(&duration->minutes, MINS_PER_HOUR, &duration->hours);
	carry(&duration->hours, HOURS_PER_DAY, &duration->days);
	carry(&months, MONTHS, &years);
	delta->years = (int32) years;
	delta->months = (int32) months;
}

static const char *
read_relativedelta(JsonbContainer *object, Delta *delta)
{
	double years = 0;
	double months = 0;
	struct
	{
		const char *name;
		double *number;
	} fields[] = {
		{"years", &years},
		{"months", &months},
		{"days", &delta->duration.days},
		{"leapdays", &delta->leapdays},
		{"hours", &delta->duration.hours},
		{"minutes", &delta->duration.minutes},
		{"seconds", &delta->duration.seconds},
		{"microseconds", &delta->duration.microseconds},
	};
	const char *why = NULL;
	int known = 0;
	double number;

	for (int i = 0; i < (int) lengthof(fields); i++)
		known += read_number(object, fields[i].name, i < 2, fields[i].number, &why);
	for (int i = 0; i < DELTA_SETTINGS; i++)
	{
		delta->settings[i] = -1;
		if (!read_number(object, setting_names[i], true, &number, &why))
			continue;
		known++;
		if (number < 0)
			why = psprintf("Field \"%s\" of a relativedelta is negative.", setting_names[i]);
		else if (why == NULL)
			delta->settings[i] = (int32) number;
	}
	known += read_weekday(object, delta, &why);
	if (why == NULL && known != (int) JsonContainerSize(object))
		why = "A relativedelta has a field that is not known.";
	if (why == NULL)
		carry_all(delta, years, months);
	return why;
}

/* Returns why it cannot be read, as a sentence, or NULL. */
const char *
delta_read(JsonbValue *value, Delta *delta)
{
	PythonDuration seconds = {0};

	*delta = (Delta){0};
	if (value != NULL && value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
	{
		delta->is_relative = true;
		return read_relativedelta(value->val.binary.data, delta);
	}
	if (!json_double(value, &seconds.seconds))
		return "A duration of the timetable is neither a number nor a relativedelta.";
	if (!python_duration_usec(&seconds, &delta->usec))
		return "A duration of the timetable is too long.";
	return NULL;
}

/* The date's own field, or what the delta sets it to; 0 sets no year, month or day. */
static int
date_field(const Delta *delta, DeltaSetting setting, int own)
{
	return delta->settings[setting] > 0 ? delta->settings[setting] : own;
}

/* dt.replace(...) of a relativedelta's years, months and settings, leap days added to "days". */
static bool
replace_fields(const Delta *delta, int sign, TimestampTz *time, double *days)
{
	static const int64 units[] = {USECS_PER_HOUR, USECS_PER_MINUTE, USECS_PER_SEC, 1};
	static const int limits[] = {HOURS_PER_DAY, MINS_PER_HOUR, SECS_PER_MINUTE, USECS_PER_SEC};
	struct pg_tm tm;
	fsec_t microsecond;
	int64 clock = 0;
	int own[4];

	if (timestamp2tm(*time, NULL, &tm, &microsecond, NULL, NULL) != 0)
		return false;
	tm.tm_year = date_field(delta, DELTA_YEAR, tm.tm_year) + sign * delta->years;
	tm.tm_mon = date_field(delta, DELTA_MONTH, tm.tm_mon) + sign * delta->months;
	if (tm.tm_mon > MONTHS && delta->months != 0)
	{
		tm.tm_year++;
		tm.tm_mon -= MONTHS;
	}
	else if (tm.tm_mon < 1)
	{
		tm.tm_year--;
		tm.tm_mon += MONTHS;
	}
	if (tm.tm_year < 1 || tm.tm_year > 9999 || tm.tm_mon > MONTHS)
		return false;
	tm.tm_mday =
		Min(day_tab[isleap(tm.tm_year)][tm.tm_mon - 1], date_field(delta, DELTA_DAY, tm.tm_mday));
	if (tm.tm_mon > 2 && isleap(tm.tm_year))
		*days += delta->leapdays;

	own[0] = tm.tm_hour;
	own[1] = tm.tm_min;
	own[2] = tm.tm_sec;
	own[3] = microsecond;
	for (int i = 0; i < 4; i++)
	{
		int value = delta->settings[DELTA_HOUR + i];

		if (value < 0)
			value = own[i];
		if (value >= limits[i])
			return false;
		clock += value * units[i];
	}
	*time = (TimestampTz) (date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE) *
				USECS_PER_DAY +
			clock;
	return true;
}

/* On to the nth such weekday, or back to it. */
static bool
move_to_weekday(const Delta *delta, TimestampTz *time)
{
	const int64 days = *time / USECS_PER_DAY - (*time % USECS_PER_DAY < 0);
	const int weekday = (j2day(days + POSTGRES_EPOCH_JDATE) + 6) % 7;
	int64 jump = ((int64) abs(delta->nth_weekday) - 1) * 7;

	if (delta->nth_weekday > 0)
		jump += (7 - weekday + delta->weekday) % 7;
	else
		jump = -(jump + (weekday - delta->weekday + 7) % 7);
	return python_time_add(*time, jump * USECS_PER_DAY, time);
}

/* time + delta, or with a sign of -1 time - delta. False where Python raises an error. */
bool
delta_add(const Delta *delta, int sign, TimestampTz time, TimestampTz *sum)
{
	PythonDuration duration = delta->duration;
	int64 usec;

	if (!delta->is_relative)
		return python_time_add(time, sign * delta->usec, sum);
	duration.days *= sign;
	duration.hours *= sign;
	duration.minutes *= sign;
	duration.seconds *= sign;
	duration.microseconds *= sign;
	if (!replace_fields(delta, sign, &time, &duration.days) ||
		!python_duration_usec(&duration, &usec) || !python_time_add(time, usec, sum))
		return false;
	return delta->weekday < 0 || move_to_weekday(delta, sum);
}

/* _relativedelta_in_seconds() of Airflow, or total_seconds() */
double
delta_seconds(const Delta *delta)
{
	const PythonDuration *duration = &delta->duration;

	if (!delta->is_relative)
		return (double) delta->usec / USECS_PER_SEC;
	return (delta->years * 365.0 + delta->months * 30.0 + duration->days) * SECS_PER_DAY +
		   duration->hours * SECS_PER_HOUR + duration->minutes * SECS_PER_MINUTE +
		   duration->seconds;
}
