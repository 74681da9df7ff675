/*
 * python_time.h
 *		Moments, durations and floats as Python's datetime reckons with them.
 */
#ifndef SCHEDULE_PYTHON_TIME_H
#define SCHEDULE_PYTHON_TIME_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* 0001-01-01 and 10000-01-01, between which Python's times are. */
#define PYTHON_TIME_FIRST ((Timestamp) (1721426 - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)
#define PYTHON_TIME_END ((Timestamp) (5373485 - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

/* A duration as datetime.timedelta() is given it; each part may be a fraction. */
typedef struct PythonDuration
{
	double days;
	double hours;
	double minutes;
	double seconds;
	double microseconds;
} PythonDuration;

extern bool python_time_is_valid(Timestamp time);
extern bool python_time_add(Timestamp time, int64 usec, Timestamp *sum);
extern double python_time_seconds(Timestamp time);
extern bool python_time_from_seconds(double seconds, Timestamp *time);
extern bool python_duration_usec(const PythonDuration *duration, int64 *usec);
extern double python_modulo(double number, double divisor);
extern double python_round_half_even(double number);
extern bool json_double(const JsonbValue *value, double *number);
extern bool json_is_float(const JsonbValue *value);

#endif
