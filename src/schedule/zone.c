/*
 * zone.c
 *		Wall clock time of a time zone, as Airflow reckons with it.
 *
 * make_naive() and make_aware() of Airflow (airflow/utils/timezone.py in 3.0, later
 * airflow/_shared/timezones/timezone.py) go through pendulum to Python's zoneinfo. The rules here are
 * theirs, the transitions are PostgreSQL's own. Both read the same time zone database where PostgreSQL
 * was built with the system's.
 */
#include "schedule/zone.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "schedule/python_time.h"

/* No transition further away decides about a wall clock time: no zone was ever a day off. */
#define TRANSITION_WINDOW (2 * (int64) SECS_PER_DAY)

/* datetime.tzinfo allows offsets of less than a day. */
#define OFFSET_LIMIT SECS_PER_DAY

/*
 * PostgreSQL takes a name that is no file for a rule of POSIX ("FOO+5"); Python does not. A rule has
 * digits, and of the zones in the database only these have.
 */
static bool
is_zone_with_digits(const char *name)
{
	static const char *const names[] = {"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT",
										"GMT+0",   "GMT-0",	  "GMT0"};

	if (pg_strncasecmp(name, "Etc/GMT", 7) == 0)
		return true;
	for (int i = 0; i < (int) lengthof(names); i++)
		if (pg_strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static pg_tz *
named_zone(const char *name)
{
	if (strlen(name) > TZ_STRLEN_MAX || strchr(name, '<') != NULL || name[0] == '\0')
		return NULL;
	if (strpbrk(name, "0123456789") != NULL && !is_zone_with_digits(name))
		return NULL;
	return pg_tzset(name);
}

/* As it is serialized: a name, or seconds. Returns why it cannot be read, or NULL. */
const char *
zone_read(const JsonbValue *value, Zone *zone)
{
	double offset;

	*zone = (Zone){0};
	if (value != NULL && value->type == jbvString)
	{
		char *name = pnstrdup(value->val.string.val, value->val.string.len);

		zone->named = named_zone(name);
		if (zone->named == NULL)
			return psprintf("The server does not know time zone \"%.*s\".",
							pg_mbcliplen(name, strlen(name), NAMEDATALEN), name);
		return NULL;
	}
	if (!json_double(value, &offset) || json_is_float(value) ||
		!(offset > -OFFSET_LIMIT && offset < OFFSET_LIMIT))
		return "The timetable's time zone is neither a name nor an offset of less than a day.";
	zone->offset = (int32) offset;
	return NULL;
}

static pg_time_t
whole_seconds(Timestamp time)
{
	int64 seconds = time / USECS_PER_SEC;

	if (time % USECS_PER_SEC < 0)
		seconds--;
	return seconds + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}

/* make_naive(): what the wall clock shows at that moment. */
bool
zone_wall_time(const Zone *zone, TimestampTz time, Timestamp *wall)
{
	pg_time_t seconds = whole_seconds(time);
	int64 offset = zone->offset;

	if (zone->named != NULL)
	{
		struct pg_tm *local = pg_localtime(&seconds, zone->named);

		if (local == NULL)
			return false;
		offset = local->tm_gmtoff;
	}
	return python_time_add(time, offset * USECS_PER_SEC, wall);
}

/*
 * zoneinfo's two offsets of a wall clock time: in an hour that is missing or comes twice, that before
 * the transition (fold=0) and that after it (fold=1). Else they are the same.
 */
static void
wall_offsets(pg_tz *zone, int64 wall, int64 *before, int64 *after)
{
	pg_time_t from = wall - TRANSITION_WINDOW;
	pg_time_t transition;
	long old_offset;
	long new_offset;
	int old_is_dst;
	int new_is_dst;
	int found = pg_next_dst_boundary(&from, &old_offset, &old_is_dst, &transition, &new_offset,
									 &new_is_dst, zone);

	*before = *after = old_offset;
	while (found > 0 && transition <= wall + TRANSITION_WINDOW)
	{
		if (transition + Max(old_offset, new_offset) <= wall)
			*before = new_offset;
		if (transition + Min(old_offset, new_offset) <= wall)
			*after = new_offset;
		from = transition;
		found = pg_next_dst_boundary(&from, &old_offset, &old_is_dst, &transition, &new_offset,
									 &new_is_dst, zone);
	}
}

/*
 * make_aware(), and the result in UTC. An hour that comes twice is its second coming; one that is
 * missing is moved on by what is missing (Timezone.convert in pendulum/tz/timezone.py).
 */
bool
zone_moment(const Zone *zone, Timestamp wall, TimestampTz *time)
{
	int64 before;
	int64 after;
	int64 offset;

	if (zone->named == NULL)
		return python_time_add(wall, -(int64) zone->offset * USECS_PER_SEC, time);
	wall_offsets(zone->named, whole_seconds(wall), &before, &after);
	offset = after;
	if (after > before)
	{
		if (!python_time_add(wall, (after - before) * USECS_PER_SEC, &wall))
			return false;
		/* moved on, it is without "fold" */
		wall_offsets(zone->named, whole_seconds(wall), &offset, &after);
	}
	return python_time_add(wall, -offset * USECS_PER_SEC, time);
}
