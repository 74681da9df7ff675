/*
 * delta.h
 *		Python's timedelta and dateutil's relativedelta.
 */
#ifndef SCHEDULE_DELTA_H
#define SCHEDULE_DELTA_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "schedule/python_time.h"

/* Fields of a relativedelta that say what a date's field is to be; see the names in delta.c. */
typedef enum DeltaSetting
{
	DELTA_YEAR,
	DELTA_MONTH,
	DELTA_DAY,
	DELTA_HOUR,
	DELTA_MINUTE,
	DELTA_SECOND,
	DELTA_MICROSECOND
} DeltaSetting;

#define DELTA_SETTINGS 7

typedef struct Delta
{
	bool is_relative;
	int64 usec; /* a timedelta is nothing else */

	/* of a relativedelta */
	int32 years;
	int32 months;
	double leapdays;
	PythonDuration duration;
	int32 settings[DELTA_SETTINGS]; /* -1: leaves the date's */
	int32 weekday;					/* Monday is 0; -1: none */
	int32 nth_weekday;
} Delta;

extern const char *delta_read(JsonbValue *value, Delta *delta);
extern bool delta_add(const Delta *delta, int sign, TimestampTz time, TimestampTz *sum);
extern double delta_seconds(const Delta *delta);

#endif
