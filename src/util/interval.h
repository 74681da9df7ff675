/*
 * interval.h
 *		Intervals as numbers.
 */
#ifndef UTIL_INTERVAL_H
#define UTIL_INTERVAL_H

#include "postgres.h"

#include "utils/timestamp.h"

/* 100 years: what interval_microseconds() counts to, either way. */
#define MAX_INTERVAL (INT64CONST(36525) * USECS_PER_DAY)

extern int64 interval_microseconds(const Interval *interval);
extern Interval *interval_of_seconds(double seconds);

#endif
