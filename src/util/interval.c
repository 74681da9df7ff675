/*
 * interval.c
 *		Intervals as numbers.
 */
#include "interval.h"

/*
 * A month has 30 days. Whatever is longer than MAX_INTERVAL, such as infinity, counts as one
 * microsecond more than that.
 */
int64
interval_microseconds(const Interval *interval)
{
	double days = interval->month * (double) DAYS_PER_MONTH + interval->day;
	double microseconds = days * USECS_PER_DAY + interval->time;

	return (int64) Max(Min(microseconds, MAX_INTERVAL + 1.0), -MAX_INTERVAL - 1.0);
}

/* To the millisecond. */
Interval *
interval_of_seconds(double seconds)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->time = (int64) (seconds * 1000 + 0.5) * 1000;
	return interval;
}
