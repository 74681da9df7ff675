/*
 * zone.h
 *		Wall clock time of a time zone, as Airflow reckons with it.
 */
#ifndef SCHEDULE_ZONE_H
#define SCHEDULE_ZONE_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* A zone of the time zone database, or where "named" is NULL a fixed offset. */
typedef struct Zone
{
	pg_tz *named;
	int32 offset; /* seconds east of Greenwich */
} Zone;

extern const char *zone_read(const JsonbValue *value, Zone *zone);
extern bool zone_wall_time(const Zone *zone, TimestampTz time, Timestamp *wall);
extern bool zone_moment(const Zone *zone, Timestamp wall, TimestampTz *time);

#endif
