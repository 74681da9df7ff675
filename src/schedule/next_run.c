/*
 * next_run.c
 *		The next run of a schedule.
 *
 * Timetable.next_dagrun_info() of each class in airflow/timetables/, step by step. An error there, which
 * DAG.next_dagrun_info() catches and logs, makes "no next run"; functions here return false then.
 */
#include "schedule/schedule.h"

#include "miscadmin.h"

/* What differs between the minor releases of Airflow 3: the classes' files of 3.0.6, 3.1.8, 3.2.2, 3.3.2. */
typedef struct TimetableRules
{
	bool once_needs_start_date;		  /* OnceTimetable, simple.py */
	bool continuous_needs_start_date; /* ContinuousTimetable, simple.py */
	bool moves_past_point; /* _DataIntervalTimetable, interval.py: past a run of a trigger */
	bool moves_past_last;  /* ... past any run that is not before the next one */
	bool rounds_months_from_start_date; /* DeltaDataIntervalTimetable._round(), interval.py */
} TimetableRules;

static const TimetableRules rules_by_minor[] = {
	{.once_needs_start_date = true, .continuous_needs_start_date = true},
	{.continuous_needs_start_date = true},
	{.moves_past_point = true},
	{.moves_past_last = true, .rounds_months_from_start_date = true},
};

#define MAX_MINOR ((int) lengthof(rules_by_minor) - 1)

/* CronTriggerTimetable._calc_first_run(): at least this long, a run that is past is still made up for. */
#define SHORTEST_BUFFER (5 * USECS_PER_MINUTE)

/* 8,000 years of months. A delta of less, as {"months": 1, "days": -30}, could take for ever. */
#define MAX_MONTH_STEPS 100000

/* One computation, of a schedule or of one of its cron expressions. */
typedef struct Computation
{
	const Schedule *schedule;
	const CronExpression *cron; /* NULL: by the delta */
	const TimetableRules *rules;
	const DataInterval *last;
	TimestampTz now;
	const char *failure;
} Computation;

static bool
fail(Computation *computation, const char *why)
{
	computation->failure = why;
	return false;
}

/* CronMixin._get_next() and _get_prev() (_cron.py) */
static bool
step_cron(Computation *computation, CronDirection direction, TimestampTz time, TimestampTz *result)
{
	const Zone *zone = &computation->schedule->zone;
	Timestamp wall;
	Timestamp found;

	if (!zone_wall_time(zone, time, &wall))
		return fail(computation, "a date is out of range");
	switch (cron_search(computation->cron, direction, wall, &found))
	{
		case CRON_FOUND:
			break;
		case CRON_NO_DATE:
			return fail(computation, "the cron expression has no date within 50 years");
		case CRON_OUT_OF_RANGE:
			return fail(computation, "a date is out of range");
	}
	/* what covers every hour is not to miss one that comes twice */
	if (cron_covers_every_hour(computation->cron) ? !python_time_add(time, found - wall, result)
												  : !zone_moment(zone, found, result))
		return fail(computation, "a date is out of range");
	return true;
}

static bool
step(Computation *computation, CronDirection direction, TimestampTz time, TimestampTz *result)
{
	if (computation->cron != NULL)
		return step_cron(computation, direction, time, result);
	if (!delta_add(&computation->schedule->delta, direction == CRON_NEXT ? 1 : -1, time, result))
		return fail(computation, "a date is out of range");
	return true;
}

/*
 * _align_to_next() and _align_to_prev(): the time itself, where it is a scheduled one, else the scheduled
 * one after or before it. Every time is one for a delta.
 */
static bool
align(Computation *computation, CronDirection direction, TimestampTz time, TimestampTz *result)
{
	const CronDirection opposite = direction == CRON_NEXT ? CRON_PREVIOUS : CRON_NEXT;
	TimestampTz beside;
	TimestampTz back;

	*result = time;
	if (computation->cron == NULL)
		return true;
	if (!step(computation, direction, time, &beside) || !step(computation, opposite, beside, &back))
		return false;
	if (back != time)
		*result = beside;
	return true;
}

/* CronDataIntervalTimetable._skip_to_latest() */
static bool
skip_cron_to_latest(Computation *computation, TimestampTz *start)
{
	TimestampTz previous;
	TimestampTz next;

	if (!step(computation, CRON_PREVIOUS, computation->now, &previous) ||
		!step(computation, CRON_NEXT, previous, &next))
		return false;
	if (next < computation->now)
		return fail(computation, "next schedule shouldn't be earlier");
	if (next == computation->now)
		*start = previous;
	else if (!step(computation, CRON_PREVIOUS, previous, start))
		return false;
	return true;
}

/* From the start date on in whole months, as the runs of a DAG that catches up. */
static bool
round_to_months(Computation *computation, TimestampTz time, TimestampTz *rounded)
{
	int steps = 0;
	TimestampTz boundary =
		computation->schedule->has_earliest ? computation->schedule->earliest : computation->now;
	TimestampTz next;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!step(computation, CRON_NEXT, boundary, &next))
			return false;
		if (next > time)
			break;
		if (next <= boundary || ++steps > MAX_MONTH_STEPS)
			return fail(computation, "the schedule does not advance"); /* Airflow would hang */
		boundary = next;
	}
	*rounded = boundary;
	return true;
}

/* DeltaDataIntervalTimetable._round(): down to a multiple of the delta since 1970. */
static bool
round_to_delta(Computation *computation, TimestampTz time, TimestampTz *rounded)
{
	const Delta *delta = &computation->schedule->delta;
	const double seconds = python_time_seconds(time);
	const double period = delta_seconds(delta);

	if (computation->rules->rounds_months_from_start_date && delta->is_relative &&
		(delta->months != 0 || delta->years != 0))
		return round_to_months(computation, time, rounded);
	if (period == 0.0)
		return fail(computation, "the schedule has a period of no seconds");
	if (!python_time_from_seconds(seconds - python_modulo(seconds, period), rounded))
		return fail(computation, "a date is out of range");
	return true;
}

/*
 * _DataIntervalTimetable.next_dagrun_info(), the part before there is a previous run: the earliest start
 * of a data interval, if there is one.
 */
static bool
earliest_start(Computation *computation, bool *exists, TimestampTz *start)
{
	const Schedule *schedule = computation->schedule;
	TimestampTz aligned;
	TimestampTz rounded;

	*exists = schedule->has_earliest || !schedule->catchup;
	if (schedule->catchup)
		return !schedule->has_earliest || align(computation, CRON_NEXT, schedule->earliest, start);
	if (computation->cron != NULL)
	{
		if (!skip_cron_to_latest(computation, start))
			return false;
	}
	else if (!round_to_delta(computation, computation->now, &rounded) ||
			 !step(computation, CRON_PREVIOUS, rounded, start))
		return false;
	if (!schedule->has_earliest)
		return true;
	if (!align(computation, CRON_NEXT, schedule->earliest, &aligned))
		return false;
	*start = Max(*start, aligned);
	return true;
}

/* The data interval that begins where the last one ended, unless the earliest is later. */
static bool
start_after_last(Computation *computation, bool has_earliest, TimestampTz earliest,
				 TimestampTz *start)
{
	const DataInterval *last = computation->last;
	const TimetableRules *rules = computation->rules;

	if (!align(computation, CRON_PREVIOUS, last->end, start))
		return false;
	if (has_earliest)
		*start = Max(*start, earliest);
	if (rules->moves_past_last
			? *start <= last->start
			: rules->moves_past_point && last->start == last->end && *start == last->start)
	{
		if (!step(computation, CRON_NEXT, *start, start))
			return false;
		if (rules->moves_past_last && *start <= last->start)
			return fail(computation, "the timetable did not advance past the last run");
	}
	return true;
}

/* _DataIntervalTimetable.next_dagrun_info(). False: there is none, or an error. */
static bool
next_interval(Computation *computation, DataInterval *next)
{
	const Schedule *schedule = computation->schedule;
	bool has_earliest;
	TimestampTz earliest = 0;

	if (!earliest_start(computation, &has_earliest, &earliest))
		return false;
	if (computation->last != NULL)
	{
		if (!start_after_last(computation, has_earliest, earliest, &next->start))
			return false;
	}
	else if (has_earliest)
		next->start = earliest;
	else
		return false;
	if (schedule->has_latest && next->start > schedule->latest)
		return false;
	return step(computation, CRON_NEXT, next->start, &next->end);
}

/* CronTriggerTimetable._calc_first_run() and DeltaTriggerTimetable's, for a DAG without start date */
static bool
first_trigger(Computation *computation, TimestampTz *first)
{
	const Schedule *schedule = computation->schedule;
	TimestampTz past;
	TimestampTz next;
	int64 buffer;

	if (!align(computation, CRON_PREVIOUS, computation->now, &past))
		return false;
	*first = past;
	if (computation->cron == NULL)
		return true;
	if (!align(computation, CRON_NEXT, computation->now, &next))
		return false;
	if (schedule->run_immediately == RUN_ALWAYS)
		return true;
	if (schedule->run_immediately == RUN_WITHIN)
		buffer = schedule->run_within;
	else
		buffer = Max((next - past) / 10, SHORTEST_BUFFER);
	if (computation->now - past > buffer)
		*first = next;
	return true;
}

/*
 * When a trigger's next run comes: after the last run, or for the first one at the start date. Without
 * catchup what has been missed but the newest is left out.
 */
static bool
next_trigger(Computation *computation, TimestampTz *time)
{
	const Schedule *schedule = computation->schedule;
	TimestampTz candidate;

	if (computation->last != NULL)
	{
		if (!step(computation, CRON_NEXT, computation->last->end, time))
			return false;
	}
	else if (!schedule->has_earliest)
	{
		if (!first_trigger(computation, time))
			return false;
	}
	else if (!align(computation, CRON_NEXT, schedule->earliest, time))
		return false;
	if (schedule->catchup)
		return true;

	if (!align(computation, CRON_PREVIOUS, computation->now, &candidate))
		return false;
	*time = Max(*time, candidate);
	if (schedule->has_earliest)
	{
		if (!align(computation, CRON_NEXT, schedule->earliest, &candidate))
			return false;
		*time = Max(*time, candidate);
	}
	return true;
}

/* _TriggerTimetable.next_dagrun_info() */
static bool
next_trigger_interval(Computation *computation, DataInterval *next)
{
	const Schedule *schedule = computation->schedule;

	if (!next_trigger(computation, &next->end))
		return false;
	if (schedule->has_latest && schedule->latest < next->end)
		return false;
	if (!delta_add(&schedule->interval, -1, next->end, &next->start))
		return fail(computation, "a date is out of range");
	return true;
}

/* The order in which MultipleCronTriggerTimetable takes what its expressions give. */
static int64
trigger_order(const Computation *computation, const DataInterval *interval)
{
	const int64 epoch = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	const int64 time = interval->start + epoch;

	if (computation->schedule->catchup || interval->start > computation->now)
		return time;
	return -time;
}

/* One expression, or several: the first in order; an error in any of them leaves none. */
static bool
next_of_crons(Computation *computation, DataInterval *next)
{
	bool found = false;

	for (int i = 0; i < computation->schedule->cron_count; i++)
	{
		DataInterval interval;

		computation->cron = &computation->schedule->crons[i];
		if (!next_trigger_interval(computation, &interval))
		{
			if (computation->failure != NULL)
				return false;
			continue;
		}
		if (!found || trigger_order(computation, &interval) < trigger_order(computation, next))
			*next = interval;
		found = true;
	}
	return found;
}

/* OnceTimetable.next_dagrun_info() */
static bool
next_once(Computation *computation, DataInterval *next)
{
	const Schedule *schedule = computation->schedule;

	if (computation->last != NULL ||
		(!schedule->has_earliest && computation->rules->once_needs_start_date))
		return false;
	next->start = next->end = schedule->has_earliest ? schedule->earliest : computation->now;
	return !schedule->has_latest || next->end <= schedule->latest;
}

/* ContinuousTimetable.next_dagrun_info() */
static bool
next_continuous(Computation *computation, DataInterval *next)
{
	const Schedule *schedule = computation->schedule;
	const DataInterval *last = computation->last;

	if (!schedule->has_earliest && computation->rules->continuous_needs_start_date)
		return false;
	next->start = schedule->has_earliest ? schedule->earliest : computation->now;
	if (last == NULL)
		next->end = Max(next->start, computation->now);
	else if (last->end > computation->now)
	{
		if (!python_time_add(next->start, last->end - last->start, &next->end))
			return fail(computation, "a date is out of range");
	}
	else
	{
		next->start = last->end;
		next->end = computation->now;
	}
	return !schedule->has_latest || next->end <= schedule->latest;
}

static bool
compute(Computation *computation, DataInterval *next)
{
	switch (computation->schedule->kind)
	{
		case TIMETABLE_NULL:
			break;
		case TIMETABLE_ONCE:
			return next_once(computation, next);
		case TIMETABLE_CONTINUOUS:
			return next_continuous(computation, next);
		case TIMETABLE_CRON_INTERVAL:
			computation->cron = computation->schedule->crons;
			return next_interval(computation, next);
		case TIMETABLE_DELTA_INTERVAL:
			return next_interval(computation, next);
		case TIMETABLE_CRON_TRIGGER:
		case TIMETABLE_MULTIPLE_CRON_TRIGGER:
			return next_of_crons(computation, next);
		case TIMETABLE_DELTA_TRIGGER:
			return next_trigger_interval(computation, next);
	}
	return false;
}

void
schedule_next_run(const Schedule *schedule, int minor, const DataInterval *last, TimestampTz now,
				  NextRun *next)
{
	Computation computation = {.schedule = schedule,
							   .rules = &rules_by_minor[Min(Max(minor, 0), MAX_MINOR)],
							   .last = last,
							   .now = now};

	*next = (NextRun){0};
	if (!python_time_is_valid(now) ||
		(last != NULL && (!python_time_is_valid(last->start) || !python_time_is_valid(last->end))))
		(void) fail(&computation, "a date is out of range");
	else
		next->exists = compute(&computation, &next->interval);
	next->failure = computation.failure;
	next->logical_date = next->interval.start;
	next->run_after = next->interval.end;
}
