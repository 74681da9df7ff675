/*
 * cron_expression.h
 *		Cron expressions, as croniter understands them.
 */
#ifndef SCHEDULE_CRON_EXPRESSION_H
#define SCHEDULE_CRON_EXPRESSION_H

#include "postgres.h"

#include "utils/timestamp.h"

typedef enum CronFieldIndex
{
	CRON_MINUTE,
	CRON_HOUR,
	CRON_DAY,
	CRON_MONTH,
	CRON_WEEKDAY, /* Sunday is 0 */
	CRON_SECOND,  /* in expressions of six fields and more */
	CRON_YEAR	  /* in expressions of seven */
} CronFieldIndex;

#define CRON_FIELDS 7
#define CRON_FIELDS_MIN 5
#define CRON_WEEKDAYS 7

/* The bit for the last such weekday of a month; bit n is for the nth. */
#define CRON_LAST_WEEKDAY 1

/* What a field allows: croniter's list of numbers, which may also have "*" and, of days, "l". */
typedef struct CronField
{
	bool any;
	bool last;
	int count;
	int16 *values; /* in ascending order */
} CronField;

/* Which earlier releases of croniter, that an Airflow 3 may have, make something else of an expression? */
typedef enum CronDifference
{
	CRON_DIFFERS_BEFORE_7 = 1 << 0,	   /* "59/15", and a day that never comes or a weekday */
	CRON_DIFFERS_BEFORE_6_2_1 = 1 << 1 /* days that not all months have */
} CronDifference;

typedef struct CronExpression
{
	int count; /* of fields */
	CronField fields[CRON_FIELDS];
	bool has_nth_weekday;
	uint8 nth_weekday[CRON_WEEKDAYS];
	int nearest_weekday; /* of this day of the month; 0: none */
	int differences;	 /* CronDifference */
} CronExpression;

typedef enum CronDirection
{
	CRON_NEXT,
	CRON_PREVIOUS
} CronDirection;

typedef enum CronSearch
{
	CRON_FOUND,
	CRON_NO_DATE,	  /* CroniterBadDateError: nothing within 50 years */
	CRON_OUT_OF_RANGE /* OverflowError: beyond the years that Python knows */
} CronSearch;

extern char *cron_preset(const char *text);
extern const char *cron_read(const char *text, CronExpression *cron);
extern bool cron_covers_every_hour(const CronExpression *cron);
extern CronSearch cron_search(const CronExpression *cron, CronDirection direction, Timestamp wall,
							  Timestamp *found);

#endif
