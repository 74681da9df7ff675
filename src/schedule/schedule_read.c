/*
 * schedule_read.c
 *		Reads the schedule of a DAG version out of its serialized DAG.
 *
 * The timetable is data->'dag'->'timetable', {"__type": class, "__var": arguments}: encode_timetable()
 * and each class's serialize() (airflow/serialization/encoders.py and airflow/timetables/; in 3.0 and 3.1
 * airflow/serialization/serialized_objects.py).
 */
#include "schedule/schedule.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "dag/serialized_dag.h"
#include "util/jsonb_member.h"

/* More cron expressions in one timetable are refused, to bound the time that one computation takes. */
#define MAX_CRONS 1000

#define MAX_SHOWN 200

typedef const char *(*TimetableReader)(JsonbContainer *arguments, Schedule *schedule);

static const char *
read_timezone(JsonbContainer *arguments, Schedule *schedule)
{
	return zone_read(json_member(arguments, "timezone"), &schedule->zone);
}

static const char *
read_cron(const JsonbValue *value, CronExpression *cron)
{
	if (value == NULL || value->type != jbvString)
		return "The timetable has a cron expression that is no text.";
	return cron_read(pnstrdup(value->val.string.val, value->val.string.len), cron);
}

static const char *
read_single_cron(JsonbContainer *arguments, Schedule *schedule)
{
	schedule->cron_count = 1;
	schedule->crons = palloc(sizeof(CronExpression));
	return read_cron(json_member(arguments, "expression"), schedule->crons);
}

static const char *
read_crons(JsonbContainer *arguments, Schedule *schedule)
{
	JsonbContainer *list = json_child(arguments, "expressions");
	const char *why = NULL;
	int count = list != NULL && JsonContainerIsArray(list) ? JsonContainerSize(list) : 0;

	if (count == 0 || count > MAX_CRONS)
		return psprintf("The timetable has not between 1 and %d cron expressions.", MAX_CRONS);
	schedule->cron_count = count;
	schedule->crons = palloc(count * sizeof(CronExpression));
	for (int i = 0; i < count && why == NULL; i++)
		why = read_cron(getIthJsonbValueFromContainer(list, i), &schedule->crons[i]);
	return why;
}

/* decode_run_immediately(): of numbers only a float is a duration. */
static const char *
read_run_immediately(JsonbContainer *arguments, Schedule *schedule)
{
	JsonbValue *value = json_member(arguments, "run_immediately");
	PythonDuration within = {0};

	schedule->run_immediately = RUN_BY_GAP;
	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type == jbvBool)
	{
		if (value->val.boolean)
			schedule->run_immediately = RUN_ALWAYS;
		return NULL;
	}
	if (!json_double(value, &within.seconds))
		return "The timetable's \"run_immediately\" is neither true nor false nor a number.";
	if (!json_is_float(value))
		return NULL;
	if (!python_duration_usec(&within, &schedule->run_within))
		return "The timetable's \"run_immediately\" is too long.";
	schedule->run_immediately = RUN_WITHIN;
	return NULL;
}

static const char *
read_cron_interval(JsonbContainer *arguments, Schedule *schedule)
{
	const char *why = read_timezone(arguments, schedule);

	return why != NULL ? why : read_single_cron(arguments, schedule);
}

static const char *
read_delta_interval(JsonbContainer *arguments, Schedule *schedule)
{
	return delta_read(json_member(arguments, "delta"), &schedule->delta);
}

/* What all triggers have that are made of cron expressions. */
static const char *
read_trigger(JsonbContainer *arguments, Schedule *schedule)
{
	const char *why = read_timezone(arguments, schedule);

	if (why == NULL)
		why = delta_read(json_member(arguments, "interval"), &schedule->interval);
	return why != NULL ? why : read_run_immediately(arguments, schedule);
}

static const char *
read_cron_trigger(JsonbContainer *arguments, Schedule *schedule)
{
	const char *why = read_trigger(arguments, schedule);

	return why != NULL ? why : read_single_cron(arguments, schedule);
}

static const char *
read_multiple_cron_trigger(JsonbContainer *arguments, Schedule *schedule)
{
	const char *why = read_trigger(arguments, schedule);

	return why != NULL ? why : read_crons(arguments, schedule);
}

static const char *
read_delta_trigger(JsonbContainer *arguments, Schedule *schedule)
{
	const char *why = delta_read(json_member(arguments, "interval"), &schedule->interval);

	return why != NULL ? why : delta_read(json_member(arguments, "delta"), &schedule->delta);
}

#define CORE "airflow.timetables."

/* Those that can be computed. */
static const struct
{
	const char *type;
	TimetableKind kind;
	TimetableReader reader;
} timetables[] = {
	{CORE "simple.NullTimetable", TIMETABLE_NULL, NULL},
	{CORE "simple.OnceTimetable", TIMETABLE_ONCE, NULL},
	{CORE "simple.ContinuousTimetable", TIMETABLE_CONTINUOUS, NULL},
	{CORE "interval.CronDataIntervalTimetable", TIMETABLE_CRON_INTERVAL, read_cron_interval},
	{CORE "interval.DeltaDataIntervalTimetable", TIMETABLE_DELTA_INTERVAL, read_delta_interval},
	{CORE "trigger.CronTriggerTimetable", TIMETABLE_CRON_TRIGGER, read_cron_trigger},
	{CORE "trigger.MultipleCronTriggerTimetable", TIMETABLE_MULTIPLE_CRON_TRIGGER,
	 read_multiple_cron_trigger},
	{CORE "trigger.DeltaTriggerTimetable", TIMETABLE_DELTA_TRIGGER, read_delta_trigger},
};

/* Those that cannot, and what they depend on. */
static const struct
{
	const char *type;
	const char *depends_on;
} others[] = {
	{CORE "simple.AssetTriggeredTimetable", "assets"},
	{CORE "simple.DatasetTriggeredTimetable", "assets"},
	{CORE "assets.AssetOrTimeSchedule", "assets"},
	{CORE "datasets.DatasetOrTimeSchedule", "assets"},
	{CORE "simple.PartitionedAssetTimetable", "assets and their partitions"},
	{CORE "simple.PartitionedAtRuntime", "partitions"},
	{CORE "trigger.CronPartitionTimetable", "partitions"},
	{CORE "events.EventsTimetable", "a list of events"},
};

/* Why a timetable of that class is not computed. */
static const char *
other_timetable(const char *type)
{
	const int shown = pg_mbcliplen(type, strlen(type), MAX_SHOWN);

	for (int i = 0; i < (int) lengthof(others); i++)
		if (strcmp(type, others[i].type) == 0)
			return psprintf("Its timetable %s depends on %s.", type, others[i].depends_on);
	if (strncmp(type, CORE, strlen(CORE)) == 0)
		return psprintf("Its timetable %.*s is not known.", shown, type);
	return psprintf("Its timetable %.*s comes from a plugin.", shown, type);
}

static const char *
read_timetable(JsonbContainer *body, Schedule *schedule)
{
	JsonbContainer *timetable = json_child(body, "timetable");
	JsonbContainer *arguments = json_child(timetable, "__var");
	JsonbValue *type = json_member(timetable, "__type");

	if (type == NULL || type->type != jbvString)
		return "The serialized DAG has no timetable.";
	for (int i = 0; i < (int) lengthof(timetables); i++)
		if (json_string_is(type, timetables[i].type))
		{
			schedule->kind = timetables[i].kind;
			schedule->type_name = strrchr(timetables[i].type, '.') + 1;
			return timetables[i].reader != NULL ? timetables[i].reader(arguments, schedule) : NULL;
		}
	return other_timetable(json_string(type));
}

/* Seconds since 1970, and where they are missing nothing. */
static const char *
read_date(const JsonbValue *value, bool *exists, TimestampTz *date)
{
	double seconds;

	*exists = false;
	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (!json_double(value, &seconds) || !python_time_from_seconds(seconds, date))
		return "The serialized DAG has a date that is no date.";
	*exists = true;
	return NULL;
}

/* A DAG's dates, or a task's. */
typedef struct Dates
{
	bool has_start;
	bool has_end;
	TimestampTz start;
	TimestampTz end;
} Dates;

static const char *
read_dates(JsonbContainer *object, Dates *dates)
{
	const char *why =
		read_date(json_member(object, "start_date"), &dates->has_start, &dates->start);

	return why != NULL ? why
					   : read_date(json_member(object, "end_date"), &dates->has_end, &dates->end);
}

/* LazyDeserializedDAG.has_task_concurrency_limits, for one task. */
static bool
has_concurrency_limit(JsonbContainer *task)
{
	static const char *const names[] = {"max_active_tis_per_dag", "max_active_tis_per_dagrun"};
	JsonbContainer *layers[] = {task, json_child(task, "partial_kwargs")};

	for (int layer = 0; layer < (int) lengthof(layers); layer++)
		for (int i = 0; i < (int) lengthof(names); i++)
		{
			JsonbValue *value = json_member(layers[layer], names[i]);

			if (value != NULL && value->type != jbvNull)
				return true;
		}
	return false;
}

/*
 * Take a task's dates into the schedule's. A task without dates has the DAG's: set_task_dag_references().
 * "all_end" stays true while every task ends.
 */
static const char *
add_task(JsonbContainer *task, const Dates *dag, Schedule *schedule, bool *all_end)
{
	Dates dates = {0};
	const char *why = read_dates(task, &dates);

	if (why != NULL)
		return why;
	if (!dates.has_end && dag->has_end)
	{
		dates.has_end = true;
		dates.end = dag->end;
	}
	if (dates.has_start && (!schedule->has_earliest || dates.start < schedule->earliest))
	{
		schedule->has_earliest = true;
		schedule->earliest = dates.start;
	}
	if (!dates.has_end)
		*all_end = false;
	else if (!schedule->has_latest || dates.end > schedule->latest)
	{
		schedule->has_latest = true;
		schedule->latest = dates.end;
	}
	schedule->has_task_concurrency_limits |= has_concurrency_limit(task);
	return NULL;
}

/* DAG._time_restriction: the latest end date counts only where all tasks have one. */
static const char *
read_restriction(JsonbContainer *body, Schedule *schedule)
{
	JsonbContainer *tasks = json_child(body, "tasks");
	int count = tasks != NULL && JsonContainerIsArray(tasks) ? JsonContainerSize(tasks) : 0;
	bool all_end = true;
	Dates dag = {0};
	const char *why = read_dates(body, &dag);

	schedule->has_earliest = dag.has_start;
	schedule->earliest = dag.start;
	schedule->has_latest = dag.has_end;
	schedule->latest = dag.end;
	for (int i = 0; i < count && why == NULL; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(tasks, i);
		JsonbContainer *task =
			element->type == jbvBinary ? json_child(element->val.binary.data, "__var") : NULL;

		CHECK_FOR_INTERRUPTS();
		if (task == NULL || !JsonContainerIsObject(task))
			return "The serialized DAG has a task that is malformed.";
		why = add_task(task, &dag, schedule, &all_end);
	}
	if (!all_end)
	{
		schedule->has_latest = dag.has_end;
		schedule->latest = dag.end;
	}
	return why;
}

static bool
read_bool(JsonbContainer *body, const char *name)
{
	JsonbValue *value = json_member(body, name);

	return value != NULL && value->type == jbvBool && value->val.boolean;
}

static int32
read_limit(JsonbContainer *body, const char *name)
{
	double number;

	if (!json_double(json_member(body, name), &number) || !(number >= 0 && number <= PG_INT32_MAX))
		return LIMIT_CONFIGURED;
	return (int32) number;
}

static void
read_limits(JsonbContainer *body, Schedule *schedule)
{
	JsonbValue *run_types = json_member(body, "allowed_run_types");

	schedule->max_active_tasks = read_limit(body, "max_active_tasks");
	schedule->max_active_runs = read_limit(body, "max_active_runs");
	schedule->max_consecutive_failed_dag_runs = read_limit(body, "max_consecutive_failed_dag_runs");
	schedule->fail_fast = read_bool(body, "fail_fast");
	if (run_types != NULL && run_types->type == jbvBinary)
		schedule->allowed_run_types = run_types;
}

static bool
is_known_serializer(Jsonb *data)
{
	double version;

	return json_double(json_member(&data->root, "__version"), &version) &&
		   version >= SERIALIZER_VERSION_MIN && version <= SERIALIZER_VERSION_MAX;
}

const char *
schedule_read(Jsonb *data, Schedule *schedule)
{
	JsonbContainer *body;
	const char *why;

	*schedule = (Schedule){0};
	if (data == NULL)
		return "The version has no serialized DAG.";
	if (!is_known_serializer(data))
		return "The DAG's serializer version is not supported.";
	body = json_child(&data->root, "dag");
	if (body == NULL || !JsonContainerIsObject(body))
		return "The serialized DAG has no \"dag\".";
	why = read_timetable(body, schedule);
	if (why != NULL)
		return why;
	schedule->catchup = read_bool(body, "catchup");
	read_limits(body, schedule);
	return read_restriction(body, schedule);
}

const char *
schedule_caveat(const Schedule *schedule)
{
	int differences = 0;

	for (int i = 0; i < schedule->cron_count; i++)
		differences |= schedule->crons[i].differences;
	if (differences & CRON_DIFFERS_BEFORE_7)
		return "The cron expression means something else where Airflow has croniter before 7.0.";
	if (differences & CRON_DIFFERS_BEFORE_6_2_1)
		return "Where Airflow has croniter before 6.2.1, days after the 28th come at other times.";
	return NULL;
}
