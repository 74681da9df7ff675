/*
 * pickle.c
 *		Python's pickle of an executor_config, as Airflow stores it in task_instance.
 *
 * task_instance.executor_config is an ExecutorConfigType (airflow/utils/sqlalchemy.py): the
 * dictionary pickled with protocol 5. Here the serialized DAG's encoding of it (objects with __var
 * and __type: airflow/serialization/serialized_objects.py) is written in that format: PEP 307, PEP
 * 3154 and Lib/pickletools.py describe the opcodes. What the encoding cannot express as plain
 * data is reported as unsupported and never approximated.
 */
#include "pickle.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "util/jsonb_member.h"
#include "values/pickle_writer.h"

/* Lib/pickle.py: Pickler._BATCHSIZE. */
#define BATCH_SIZE 1000

static void pickle_value(Pickler *pickler, const JsonbValue *value);
static void pickle_json(Pickler *pickler, const JsonbValue *value);

/*
 * datetime.timedelta(seconds=...), as its __reduce__ gives it: the class, and days, seconds and
 * microseconds.
 */
static void
pickle_timedelta(Pickler *pickler, const JsonbValue *seconds)
{
	double total;
	int64 microseconds;
	int64 days;

	if (seconds == NULL || seconds->type != jbvNumeric)
	{
		pickle_unsupported(pickler, "timedelta");
		return;
	}
	total =
		DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(seconds->val.numeric)));
	if (fabs(total) > 1e12)
	{
		pickle_unsupported(pickler, "timedelta");
		return;
	}
	microseconds = (int64) rint(total * USECS_PER_SEC);
	days = microseconds / USECS_PER_DAY;
	if (microseconds % USECS_PER_DAY < 0)
		days--;
	microseconds -= days * USECS_PER_DAY;

	pickle_global(pickler, "datetime", "timedelta");
	pickle_int32(pickler, days);
	pickle_int32(pickler, microseconds / USECS_PER_SEC);
	pickle_int32(pickler, microseconds % USECS_PER_SEC);
	pickle_call(pickler, OP_TUPLE3);
}

/*
 * A date is read back as a pendulum DateTime in UTC (airflow/_shared/timezones: from_timestamp),
 * and pickled as pendulum 3 has it.
 */
static void
pickle_datetime(Pickler *pickler, JsonbValue *seconds)
{
	TimestampTz timestamp;
	struct pg_tm tm;
	fsec_t microseconds;

	if (seconds == NULL || !json_timestamp(seconds, &timestamp) ||
		timestamp2tm(timestamp, NULL, &tm, &microseconds, NULL, NULL) != 0)
	{
		pickle_unsupported(pickler, "datetime");
		return;
	}
	pickle_global(pickler, "pendulum.datetime", "DateTime");
	pickle_op(pickler, OP_MARK);
	pickle_int32(pickler, tm.tm_year);
	pickle_int32(pickler, tm.tm_mon);
	pickle_int32(pickler, tm.tm_mday);
	pickle_int32(pickler, tm.tm_hour);
	pickle_int32(pickler, tm.tm_min);
	pickle_int32(pickler, tm.tm_sec);
	pickle_int32(pickler, microseconds);

	/* the time zone: getattr(Timezone, "_unpickle")("UTC", 1) */
	pickle_global(pickler, "builtins", "getattr");
	pickle_global(pickler, "pendulum.tz.timezone", "Timezone");
	pickle_string(pickler, "_unpickle", strlen("_unpickle"));
	pickle_call(pickler, OP_TUPLE2);
	pickle_string(pickler, "UTC", strlen("UTC"));
	pickle_int32(pickler, 1);
	pickle_call(pickler, OP_TUPLE2);
	pickle_call(pickler, OP_TUPLE);
}

typedef void (*ItemWriter)(Pickler *pickler, const JsonbValue *value);

/*
 * The elements of an array, in batches as pickle makes them. "single" is the opcode for a batch of
 * one, 0 where there is none.
 */
static void
pickle_elements(Pickler *pickler, JsonbContainer *array, char single, char many, ItemWriter write)
{
	uint32 count = JsonContainerSize(array);

	for (uint32 start = 0; start < count; start += BATCH_SIZE)
	{
		uint32 end = Min(start + BATCH_SIZE, count);
		bool alone = end - start == 1 && single != 0;

		if (!alone)
			pickle_op(pickler, OP_MARK);
		for (uint32 i = start; i < end; i++)
			write(pickler, getIthJsonbValueFromContainer(array, i));
		pickle_op(pickler, alone ? single : many);
	}
}

static void
pickle_list(Pickler *pickler, JsonbContainer *array, ItemWriter write)
{
	pickle_op(pickler, OP_EMPTY_LIST);
	pickle_op(pickler, OP_MEMOIZE);
	pickle_elements(pickler, array, OP_APPEND, OP_APPENDS, write);
}

static void
pickle_set(Pickler *pickler, JsonbContainer *array)
{
	pickle_op(pickler, OP_EMPTY_SET);
	pickle_op(pickler, OP_MEMOIZE);
	pickle_elements(pickler, array, 0, OP_ADDITEMS, pickle_value);
}

static void
pickle_tuple(Pickler *pickler, JsonbContainer *array)
{
	static const char short_tuple[] = {OP_EMPTY_TUPLE, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3};
	uint32 count = JsonContainerSize(array);

	if (count > 3)
		pickle_op(pickler, OP_MARK);
	for (uint32 i = 0; i < count; i++)
		pickle_value(pickler, getIthJsonbValueFromContainer(array, i));
	pickle_op(pickler, count > 3 ? OP_TUPLE : short_tuple[count]);
	if (count > 0)
		pickle_op(pickler, OP_MEMOIZE);
}

/*
 * The members of an object as a dict, the values written by "write".
 */
static void
pickle_dict(Pickler *pickler, JsonbContainer *object, ItemWriter write)
{
	uint32 count = JsonContainerSize(object);
	uint32 done = 0;
	bool alone = false;
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue item;

	pickle_op(pickler, OP_EMPTY_DICT);
	pickle_op(pickler, OP_MEMOIZE);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			if (done % BATCH_SIZE == 0 && !(alone = (count - done == 1)))
				pickle_op(pickler, OP_MARK);
			pickle_string(pickler, item.val.string.val, item.val.string.len);
		}
		else if (token == WJB_VALUE)
		{
			write(pickler, &item);
			done++;
			if (done % BATCH_SIZE == 0 || done == count)
				pickle_op(pickler, alone ? OP_SETITEM : OP_SETITEMS);
		}
	}
}

/*
 * JSON as it is, without Airflow's encoding: the inside of a pod.
 */
static void
pickle_json(Pickler *pickler, const JsonbValue *value)
{
	JsonbContainer *container;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (pickler->unsupported != NULL || pickle_scalar(pickler, value))
		return;
	container = value->val.binary.data;
	if (JsonContainerIsArray(container))
		pickle_list(pickler, container, pickle_json);
	else
		pickle_dict(pickler, container, pickle_json);
}

/*
 * A value in Airflow's encoding: BaseSerialization.deserialize, then pickle.
 */
static void
pickle_value(Pickler *pickler, const JsonbValue *value)
{
	JsonbContainer *container;
	JsonbValue *type;
	JsonbContainer *content;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (pickler->unsupported != NULL || pickle_scalar(pickler, value))
		return;
	container = value->val.binary.data;
	if (JsonContainerIsArray(container))
	{
		pickle_list(pickler, container, pickle_value);
		return;
	}
	type = json_member(container, "__type");
	content = json_child(container, "__var");
	if (json_string_is(type, "timedelta"))
		pickle_timedelta(pickler, json_member(container, "__var"));
	else if (json_string_is(type, "datetime"))
		pickle_datetime(pickler, json_member(container, "__var"));
	else if (content == NULL)
		pickle_unsupported(pickler, type ? json_string(type) : NULL);
	else if (json_string_is(type, "dict") && JsonContainerIsObject(content))
		pickle_dict(pickler, content, pickle_value);
	else if (json_string_is(type, "tuple") && JsonContainerIsArray(content))
		pickle_tuple(pickler, content);
	else if (json_string_is(type, "set") && JsonContainerIsArray(content))
		pickle_set(pickler, content);
	else
		pickle_unsupported(pickler, type ? json_string(type) : NULL);
}

/*
 * A member of the executor_config itself: ExecutorConfigType stores pod_override in Airflow's
 * encoding, whatever it is, and not as a Kubernetes object.
 */
static void
pickle_member(Pickler *pickler, const JsonbValue *value)
{
	if (value->type == jbvBinary && value->val.binary.data == pickler->pod_override)
		pickle_json(pickler, value);
	else
		pickle_value(pickler, value);
}

/*
 * The pickle of an executor_config, NULL for JSON null. "encoded" is a task's executor_config in
 * the serialized DAG, or NULL where the task has none: an empty dict. When part of it cannot be
 * written, *unsupported names that part and the result is NULL.
 */
bytea *
pickle_executor_config(const JsonbValue *encoded, const char **unsupported_part)
{
	Pickler pickler = {0};
	JsonbContainer *config;

	*unsupported_part = NULL;
	if (encoded != NULL && encoded->type == jbvNull)
		return NULL;

	initStringInfo(&pickler.body);
	config = encoded && encoded->type == jbvBinary ? json_child(encoded->val.binary.data, "__var")
												   : NULL;
	if (encoded == NULL)
		appendStringInfoString(&pickler.body, "}\x94");
	else if (config != NULL && JsonContainerIsObject(config) &&
			 json_string_is(json_member(encoded->val.binary.data, "__type"), "dict"))
	{
		pickler.pod_override = json_child(config, "pod_override");
		pickle_dict(&pickler, config, pickle_member);
	}
	else
		pickle_unsupported(&pickler, "an executor_config that is not a dict");
	pickle_op(&pickler, OP_STOP);

	*unsupported_part = pickler.unsupported;
	return pickler.unsupported ? NULL : pickle_finish(&pickler);
}
