/*
 * python_time.c
 *		Moments, durations and floats as Python's datetime reckons with them.
 *
 * Times are PostgreSQL's: microseconds from 2000 on. Python's end with the year 9999, where it raises
 * OverflowError; the functions here return false then. Its floats are C's doubles, so that equal steps
 * give equal results (CPython, Modules/_datetimemodule.c).
 */
#include "schedule/python_time.h"

#include <math.h>

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Seconds from Python's epoch, 1970, to PostgreSQL's, 2000. */
#define EPOCH_SECONDS ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

#define MAX_TIMEDELTA_DAYS 999999999.0

/* Is it a time of a year that Python knows? */
bool
python_time_is_valid(Timestamp time)
{
	return time >= PYTHON_TIME_FIRST && time < PYTHON_TIME_END;
}

/* False where Python raises OverflowError. */
bool
python_time_add(Timestamp time, int64 usec, Timestamp *sum)
{
	return !pg_add_s64_overflow(time, usec, sum) && python_time_is_valid(*sum);
}

/* datetime.timestamp(): seconds since 1970. */
double
python_time_seconds(Timestamp time)
{
	return (double) ((long double) (time + EPOCH_SECONDS * USECS_PER_SEC) / USECS_PER_SEC);
}

/* round(number), of two that are equally near the even one. */
double
python_round_half_even(double number)
{
	double rounded = round(number);

	if (fabs(number - rounded) == 0.5)
		rounded = 2.0 * round(number / 2.0);
	return rounded;
}

/* datetime.fromtimestamp(seconds, UTC) */
bool
python_time_from_seconds(double seconds, Timestamp *time)
{
	double whole;
	double fraction = modf(seconds, &whole);

	if (!(fabs(whole) < 1e12))
		return false;
	*time = ((int64) whole - EPOCH_SECONDS) * USECS_PER_SEC +
			(int64) python_round_half_even(fraction * USECS_PER_SEC);
	return python_time_is_valid(*time);
}

/* Add a part of a timedelta: its whole units to "usec", what is below a microsecond to "rest". */
static void
add_part(double part, int64 factor, int64 *usec, double *rest)
{
	double whole;
	double fraction = modf(part, &whole);

	*usec += (int64) whole * factor;
	if (fraction == 0.0)
		return;
	fraction = modf(fraction * factor, &whole);
	*usec += (int64) whole;
	*rest += fraction;
}

/* datetime.timedelta(...); false where it raises OverflowError. */
bool
python_duration_usec(const PythonDuration *duration, int64 *usec)
{
	const double days = duration->days + duration->hours / HOURS_PER_DAY +
						duration->minutes / MINS_PER_HOUR / HOURS_PER_DAY +
						duration->seconds / SECS_PER_DAY + duration->microseconds / USECS_PER_DAY;
	double rest = 0.0;

	/* what is far beyond the last year need not be exact; NaN is neither */
	if (!(fabs(days) < MAX_TIMEDELTA_DAYS / 100))
		return false;
	*usec = 0;
	add_part(duration->microseconds, 1, usec, &rest);
	add_part(duration->seconds, USECS_PER_SEC, usec, &rest);
	add_part(duration->minutes, USECS_PER_MINUTE, usec, &rest);
	add_part(duration->hours, USECS_PER_HOUR, usec, &rest);
	add_part(duration->days, USECS_PER_DAY, usec, &rest);
	if (rest != 0.0)
	{
		double rounded = round(rest);

		if (fabs(rounded - rest) == 0.5)
		{
			/* to the even sum, not to the even rest */
			const int is_odd = (*usec & 1) != 0;

			rounded = 2.0 * round((rest + is_odd) * 0.5) - is_odd;
		}
		*usec += (int64) rounded;
	}
	return true;
}

/* number % divisor, whose sign is the divisor's. */
double
python_modulo(double number, double divisor)
{
	double modulo = fmod(number, divisor);

	if (modulo != 0.0 && (divisor < 0.0) != (modulo < 0.0))
		modulo += divisor;
	return modulo;
}

/* A number of any size; one that no double holds is infinite. False for what is no number. */
bool
json_double(const JsonbValue *value, double *number)
{
	if (value == NULL || value->type != jbvNumeric)
		return false;
	*number = strtod(
		DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric))),
		NULL);
	return true;
}

/* Would Python read it as a float and not as an integer? jsonb keeps the fraction's digits. */
bool
json_is_float(const JsonbValue *value)
{
	return value != NULL && value->type == jbvNumeric &&
		   strchr(DatumGetCString(
					  DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric))),
				  '.') != NULL;
}
