/*
 * cron_search.c
 *		Finds the next or the previous time of a cron expression.
 *
 * croniter._calc_next() and _calc() (croniter/croniter.py), on wall clock times without a zone, as Airflow
 * calls it. A time is moved field by field, from the year to the second, until no field moves it: forward
 * to the field's next value, with all smaller ones at their lowest, or back with them at their highest.
 */
#include "schedule/cron_expression.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/datetime.h"

#include "schedule/python_time.h"

/* croniter's max_years_between_matches, which Airflow leaves as it is. */
#define MAX_YEARS 50

#define MONTHS 12

/* What a field makes of a time. */
typedef enum Move
{
	MOVE_NONE,
	MOVE_DONE,
	MOVE_NO_YEAR, /* no year is left */
	MOVE_OUT_OF_RANGE
} Move;

typedef struct WallTime
{
	int year;
	int month;
	int day;
	int hour;
	int minute;
	int second;
} WallTime;

/* One search; a day of the month or a weekday may be left out of it. */
typedef struct Search
{
	const CronExpression *cron;
	CronDirection direction;
	CronField days;
	CronField weekdays;
	WallTime time;
} Search;

static const CronField any_value = {.any = true};

static int
days_of_month(int year, int month)
{
	return day_tab[isleap(year)][month - 1];
}

/* Sunday is 0. */
static int
weekday_of(int year, int month, int day)
{
	return j2day(date2j(year, month, day));
}

static bool
read_wall_time(Timestamp wall, WallTime *time)
{
	Timestamp days = wall / USECS_PER_DAY;
	int seconds;

	if (!python_time_is_valid(wall))
		return false;
	wall -= days * USECS_PER_DAY;
	if (wall < 0)
	{
		wall += USECS_PER_DAY;
		days--;
	}
	seconds = wall / USECS_PER_SEC;
	j2date(days + POSTGRES_EPOCH_JDATE, &time->year, &time->month, &time->day);
	time->hour = seconds / SECS_PER_HOUR;
	time->minute = seconds / SECS_PER_MINUTE % MINS_PER_HOUR;
	time->second = seconds % SECS_PER_MINUTE;
	return true;
}

static Timestamp
wall_timestamp(const WallTime *time)
{
	Timestamp days = date2j(time->year, time->month, time->day) - POSTGRES_EPOCH_JDATE;

	return days * USECS_PER_DAY + time->hour * USECS_PER_HOUR + time->minute * USECS_PER_MINUTE +
		   time->second * USECS_PER_SEC;
}

/* Add seconds to the time, carrying into its days. */
static Move
move_seconds(WallTime *time, int64 seconds)
{
	return read_wall_time(wall_timestamp(time) + seconds * USECS_PER_SEC, time) ? MOVE_DONE
																				: MOVE_OUT_OF_RANGE;
}

/* The first moment of the day, or looking back its last second. */
static void
reset_clock(Search *search)
{
	const bool back = search->direction == CRON_PREVIOUS;

	search->time.hour = back ? HOURS_PER_DAY - 1 : 0;
	search->time.minute = back ? MINS_PER_HOUR - 1 : 0;
	search->time.second = back ? SECS_PER_MINUTE - 1 : 0;
}

static Move
move_days(Search *search, int days)
{
	reset_clock(search);
	return move_seconds(&search->time, (int64) days * SECS_PER_DAY);
}

/*
 * _get_next_nearest_diff(): how far from "x" on to a value of the field, over its end if need be.
 * "range" is where the field ends, 0 for the years, which do not begin again: false then.
 */
static bool
distance_forward(int x, const CronField *field, int range, int *distance)
{
	for (int i = 0; i < field->count; i++)
	{
		if (range != 0 && field->values[i] > range)
			continue;
		if (field->values[i] >= x)
		{
			*distance = field->values[i] - x;
			return true;
		}
	}
	if (field->last)
		*distance = range - x;
	else if (range != 0)
		*distance = field->values[0] - x + range;
	else
		return false;
	return true;
}

/* _get_prev_nearest_diff(), with its ways of leaving a month that is too short. */
static bool
distance_back(int x, const CronField *field, int range, int *distance)
{
	int candidate = 0;

	for (int i = field->count - 1; i >= 0; i--)
		if (field->values[i] <= x)
		{
			*distance = field->values[i] - x;
			return true;
		}
	if (field->last)
	{
		*distance = -x;
		return true;
	}
	if (range == 0)
		return false;
	candidate = field->values[field->count - 1];
	for (int i = field->count - 1; i >= 0; i--)
		if (field->values[i] <= range)
		{
			candidate = field->values[i];
			break;
		}
	*distance = candidate > range ? -range : candidate - x - range;
	return true;
}

static bool
distance_to(const Search *search, int x, const CronField *field, int range, int *distance)
{
	if (search->direction == CRON_PREVIOUS)
		return distance_back(x, field, range, distance);
	return distance_forward(x, field, range, distance);
}

static Move
move_year(Search *search)
{
	const CronField *years = &search->cron->fields[CRON_YEAR];
	int distance;

	if (search->cron->count <= CRON_YEAR || years->any)
		return MOVE_NONE;
	if (!distance_to(search, search->time.year, years, 0, &distance))
		return MOVE_NO_YEAR;
	if (distance == 0)
		return MOVE_NONE;
	search->time.year += distance;
	search->time.month = search->direction == CRON_PREVIOUS ? MONTHS : 1;
	search->time.day = search->direction == CRON_PREVIOUS ? 31 : 1;
	reset_clock(search);
	return MOVE_DONE;
}

static Move
move_month(Search *search)
{
	WallTime *time = &search->time;
	const CronField *months = &search->cron->fields[CRON_MONTH];
	int distance;

	if (months->any || !distance_to(search, time->month, months, MONTHS, &distance) ||
		distance == 0)
		return MOVE_NONE;
	distance += time->year * MONTHS + time->month - 1;
	if (distance < MONTHS || distance >= 10000 * MONTHS)
		return MOVE_OUT_OF_RANGE;
	time->year = distance / MONTHS;
	time->month = distance % MONTHS + 1;
	time->day = search->direction == CRON_PREVIOUS ? days_of_month(time->year, time->month) : 1;
	reset_clock(search);
	return MOVE_DONE;
}

static Move
move_day(Search *search)
{
	const WallTime *time = &search->time;
	const bool january = time->month == 1;
	int range = days_of_month(time->year, time->month);
	int distance;

	if (search->days.any || (search->days.last && time->day == range))
		return MOVE_NONE;
	if (search->direction == CRON_PREVIOUS)
		range = days_of_month(january ? time->year - 1 : time->year,
							  january ? MONTHS : time->month - 1);
	if (!distance_to(search, time->day, &search->days, range, &distance) || distance == 0)
		return MOVE_NONE;
	return move_days(search, distance);
}

static Move
move_weekday(Search *search)
{
	const WallTime *time = &search->time;
	int distance;

	if (search->weekdays.any ||
		!distance_to(search, weekday_of(time->year, time->month, time->day), &search->weekdays,
					 CRON_WEEKDAYS, &distance) ||
		distance == 0)
		return MOVE_NONE;
	return move_days(search, distance);
}

/* The nearest candidate so far for the day of this month; 0: none. */
static void
consider_day(const Search *search, int candidate, int *nearest)
{
	const int day = search->time.day;

	if (search->direction == CRON_PREVIOUS ? candidate > day : candidate < day)
		return;
	if (*nearest == 0 ||
		(search->direction == CRON_PREVIOUS ? candidate > *nearest : candidate < *nearest))
		*nearest = candidate;
}

/* To that day of the month, or into the month beside it where there is none. */
static Move
move_to_day(Search *search, int day)
{
	const WallTime *time = &search->time;

	if (day == time->day)
		return MOVE_NONE;
	if (day != 0)
		return move_days(search, day - time->day);
	if (search->direction == CRON_PREVIOUS)
		return move_days(search, -time->day);
	return move_days(search, days_of_month(time->year, time->month) - time->day + 1);
}

/* The first Monday, the last Friday ... of the month. */
static Move
move_nth_weekday(Search *search)
{
	const WallTime *time = &search->time;
	const int days = days_of_month(time->year, time->month);
	const int first_weekday = weekday_of(time->year, time->month, 1);
	int nearest = 0;

	for (int weekday = 0; weekday < CRON_WEEKDAYS; weekday++)
	{
		const int nth_weekday = search->cron->nth_weekday[weekday];
		int day = (weekday - first_weekday + CRON_WEEKDAYS) % CRON_WEEKDAYS + 1;

		for (int nth = 1; day <= days; nth++, day += CRON_WEEKDAYS)
			if ((nth_weekday & (1 << nth)) != 0 ||
				((nth_weekday & CRON_LAST_WEEKDAY) != 0 && day + CRON_WEEKDAYS > days))
				consider_day(search, day, &nearest);
	}
	return move_to_day(search, nearest);
}

/* Saturday's is the Friday, Sunday's the Monday, unless that is in another month. */
static Move
move_nearest_weekday(Search *search)
{
	const WallTime *time = &search->time;
	const int days = days_of_month(time->year, time->month);
	int day = Min(search->cron->nearest_weekday, days);
	int nearest = 0;

	switch (weekday_of(time->year, time->month, day))
	{
		case 6:
			day += day > 1 ? -1 : 2;
			break;
		case 0:
			day += day < days ? 1 : -2;
			break;
		default:
			break;
	}
	consider_day(search, day, &nearest);
	return move_to_day(search, nearest);
}

static Move
move_hour(Search *search)
{
	const CronField *hours = &search->cron->fields[CRON_HOUR];
	int distance;

	if (hours->any || !distance_to(search, search->time.hour, hours, HOURS_PER_DAY, &distance) ||
		distance == 0)
		return MOVE_NONE;
	search->time.minute = search->direction == CRON_PREVIOUS ? MINS_PER_HOUR - 1 : 0;
	search->time.second = search->direction == CRON_PREVIOUS ? SECS_PER_MINUTE - 1 : 0;
	return move_seconds(&search->time, (int64) distance * SECS_PER_HOUR);
}

static Move
move_minute(Search *search)
{
	const CronField *minutes = &search->cron->fields[CRON_MINUTE];
	int distance;

	if (minutes->any ||
		!distance_to(search, search->time.minute, minutes, MINS_PER_HOUR, &distance) ||
		distance == 0)
		return MOVE_NONE;
	search->time.second = search->direction == CRON_PREVIOUS ? SECS_PER_MINUTE - 1 : 0;
	return move_seconds(&search->time, (int64) distance * SECS_PER_MINUTE);
}

static Move
move_second(Search *search)
{
	const CronField *seconds = &search->cron->fields[CRON_SECOND];
	int distance;

	if (search->cron->count <= CRON_SECOND)
	{
		search->time.second = 0;
		return MOVE_NONE;
	}
	if (seconds->any ||
		!distance_to(search, search->time.second, seconds, SECS_PER_MINUTE, &distance) ||
		distance == 0)
		return MOVE_NONE;
	return move_seconds(&search->time, distance);
}

typedef Move (*Mover)(Search *search);

/* The first field, from the largest on, that moves the time. */
static Move
move_once(Search *search)
{
	const Mover movers[] = {
		move_year,
		move_month,
		search->cron->nearest_weekday != 0 ? move_nearest_weekday : move_day,
		search->cron->has_nth_weekday ? move_nth_weekday : move_weekday,
		move_hour,
		move_minute,
		move_second,
	};

	for (int i = 0; i < (int) lengthof(movers); i++)
	{
		Move move = movers[i](search);

		if (move != MOVE_NONE)
			return move;
	}
	return MOVE_NONE;
}

/* Where the search begins: after the given time, or before it. */
static bool
begin_search(Search *search, Timestamp wall)
{
	const bool has_seconds = search->cron->count > CRON_SECOND;
	int64 offset = has_seconds ? USECS_PER_SEC : USECS_PER_MINUTE;

	if (search->direction == CRON_PREVIOUS)
		offset = -1;
	if (!python_time_add(wall, offset, &wall) || !read_wall_time(wall, &search->time))
		return false;
	if (!has_seconds)
		search->time.second = 0;
	return true;
}

/* croniter._calc() */
static CronSearch
search_fields(const CronExpression *cron, CronDirection direction, const CronField *days,
			  const CronField *weekdays, Timestamp wall, Timestamp *found)
{
	Search search = {.cron = cron, .direction = direction, .days = *days, .weekdays = *weekdays};
	int first_year;

	if (!begin_search(&search, wall))
		return CRON_OUT_OF_RANGE;
	first_year = search.time.year;
	while (abs(search.time.year - first_year) <= MAX_YEARS)
	{
		CHECK_FOR_INTERRUPTS();
		switch (move_once(&search))
		{
			case MOVE_DONE:
				break;
			case MOVE_NONE:
				*found = wall_timestamp(&search.time);
				return CRON_FOUND;
			case MOVE_NO_YEAR:
				return CRON_NO_DATE;
			case MOVE_OUT_OF_RANGE:
				return CRON_OUT_OF_RANGE;
		}
	}
	return CRON_NO_DATE;
}

/*
 * The time goes through a float in croniter (datetime_to_timestamp() and back). Of times of this
 * century no microsecond is lost.
 */
static bool
through_float(Timestamp *wall)
{
	return python_time_from_seconds(python_time_seconds(*wall), wall);
}

/*
 * The next time after "wall" or the previous one before it, both wall clock times. Days of the month and
 * weekdays, where both are given, count each for itself: _calc_next().
 */
CronSearch
cron_search(const CronExpression *cron, CronDirection direction, Timestamp wall, Timestamp *found)
{
	const CronField *days = &cron->fields[CRON_DAY];
	const CronField *weekdays = &cron->fields[CRON_WEEKDAY];
	const bool is_clean = !cron->has_nth_weekday && cron->nearest_weekday == 0;
	CronSearch by_day;
	CronSearch by_weekday;
	Timestamp other;

	if (!through_float(&wall))
		return CRON_OUT_OF_RANGE;
	if (days->any || weekdays->any)
		return search_fields(cron, direction, days, weekdays, wall, found);

	by_day = search_fields(cron, direction, days, &any_value, wall, found);
	if (by_day == CRON_OUT_OF_RANGE || (by_day == CRON_NO_DATE && !is_clean))
		return by_day;
	by_weekday = search_fields(cron, direction, &any_value, weekdays, wall, &other);
	if (by_weekday == CRON_OUT_OF_RANGE || (by_weekday == CRON_NO_DATE && !is_clean))
		return by_weekday;
	if (by_day == CRON_NO_DATE || (by_weekday == CRON_FOUND &&
								   (direction == CRON_PREVIOUS ? other > *found : other < *found)))
	{
		*found = other;
		return by_weekday;
	}
	return CRON_FOUND;
}
