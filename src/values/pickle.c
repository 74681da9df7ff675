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

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "util/jsonb_member.h"

/* Lib/pickle.py: Pickler._BATCHSIZE and _Framer._FRAME_SIZE_TARGET. */
#define BATCH_SIZE 1000
#define FRAME_SIZE_MIN 4
#define FRAME_SIZE_MAX (64 * 1024)

/* json.loads refuses integers of more digits: sys.int_info.default_max_str_digits. */
#define MAX_INTEGER_DIGITS 4300

/* Opcodes, named as in Lib/pickle.py. */
#define OP_MARK '('
#define OP_STOP '.'
#define OP_NONE 'N'
#define OP_NEWTRUE '\x88'
#define OP_NEWFALSE '\x89'
#define OP_BININT 'J'
#define OP_BININT1 'K'
#define OP_BININT2 'M'
#define OP_LONG1 '\x8a'
#define OP_LONG4 '\x8b'
#define OP_BINFLOAT 'G'
#define OP_SHORT_BINUNICODE '\x8c'
#define OP_BINUNICODE 'X'
#define OP_EMPTY_DICT '}'
#define OP_SETITEM 's'
#define OP_SETITEMS 'u'
#define OP_EMPTY_LIST ']'
#define OP_APPEND 'a'
#define OP_APPENDS 'e'
#define OP_EMPTY_TUPLE ')'
#define OP_TUPLE1 '\x85'
#define OP_TUPLE2 '\x86'
#define OP_TUPLE3 '\x87'
#define OP_TUPLE 't'
#define OP_EMPTY_SET '\x8f'
#define OP_ADDITEMS '\x90'
#define OP_STACK_GLOBAL '\x93'
#define OP_REDUCE 'R'
#define OP_MEMOIZE '\x94'

typedef struct Pickler
{
	StringInfoData body;
	const char *unsupported;	  /* the first thing that cannot be written, or NULL */
	JsonbContainer *pod_override; /* the member of that name, or NULL */
} Pickler;

static void pickle_value(Pickler *pickler, const JsonbValue *value);
static void pickle_json(Pickler *pickler, const JsonbValue *value);

static void
put_op(Pickler *pickler, char op)
{
	appendStringInfoCharMacro(&pickler->body, op);
}

/* An integer in little-endian order, as pickle has all its lengths. */
static void
put_little_endian(StringInfo out, uint64 value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		appendStringInfoCharMacro(out, (char) (value >> (8 * i)));
}

/* "what" may be NULL where it has no name. Nothing is written after the first such part. */
static void
unsupported(Pickler *pickler, const char *what)
{
	pickler->unsupported = what ? what : "an object of unknown type";
}

/* A string, which pickle has in UTF-8. */
static void
pickle_string(Pickler *pickler, const char *text, int length)
{
	char *utf8 = pg_server_to_any(text, length, PG_UTF8);

	if (utf8 != text)
	{
		text = utf8;
		length = strlen(utf8);
	}
	if (length <= 0xff)
	{
		put_op(pickler, OP_SHORT_BINUNICODE);
		put_little_endian(&pickler->body, length, 1);
	}
	else
	{
		put_op(pickler, OP_BINUNICODE);
		put_little_endian(&pickler->body, length, 4);
	}
	appendBinaryStringInfo(&pickler->body, text, length);
	put_op(pickler, OP_MEMOIZE);
}

static void
pickle_float(Pickler *pickler, double number)
{
	uint64 bits;

	memcpy(&bits, &number, sizeof(bits));
	bits = pg_hton64(bits);
	put_op(pickler, OP_BINFLOAT);
	appendBinaryStringInfo(&pickler->body, (char *) &bits, sizeof(bits));
}

/*
 * Two's complement of a decimal number, little-endian and as short as it can be: Lib/pickle.py
 * encode_long. "bytes" has room for it. Returns the number of bytes.
 */
static int
encode_long(const char *decimal, unsigned char *bytes)
{
	bool negative = *decimal == '-';
	int length = 0;

	for (const char *digit = decimal + (negative ? 1 : 0); *digit != '\0'; digit++)
	{
		unsigned int carry = *digit - '0';

		for (int i = 0; i < length; i++)
		{
			carry += bytes[i] * 10u;
			bytes[i] = carry & 0xff;
			carry >>= 8;
		}
		if (carry > 0)
			bytes[length++] = carry;
	}
	bytes[length++] = 0; /* room for the sign */

	if (negative)
	{
		unsigned int carry = 1;

		for (int i = 0; i < length; i++)
		{
			carry += (unsigned char) ~bytes[i];
			bytes[i] = carry & 0xff;
			carry >>= 8;
		}
	}
	while (length > 1 && bytes[length - 1] == (negative ? 0xff : 0) &&
		   (bytes[length - 2] >= 0x80) == negative)
		length--;
	return length;
}

static void
pickle_long(Pickler *pickler, const char *decimal)
{
	unsigned char bytes[MAX_INTEGER_DIGITS / 2 + 2]; /* a byte holds more than two digits */
	int length;

	if (strlen(decimal) > MAX_INTEGER_DIGITS)
	{
		unsupported(pickler, "an integer of more digits than Python reads");
		return;
	}
	length = encode_long(decimal, bytes);
	put_op(pickler, length <= 0xff ? OP_LONG1 : OP_LONG4);
	put_little_endian(&pickler->body, length, length <= 0xff ? 1 : 4);
	appendBinaryStringInfo(&pickler->body, (char *) bytes, length);
}

static void
pickle_int32(Pickler *pickler, int32 number)
{
	if (number >= 0 && number <= 0xff)
	{
		put_op(pickler, OP_BININT1);
		put_little_endian(&pickler->body, number, 1);
	}
	else if (number >= 0 && number <= 0xffff)
	{
		put_op(pickler, OP_BININT2);
		put_little_endian(&pickler->body, number, 2);
	}
	else
	{
		put_op(pickler, OP_BININT);
		put_little_endian(&pickler->body, (uint32) number, 4);
	}
}

/*
 * JSON has one kind of number, Python two: json.loads makes an int of one without fraction and
 * exponent, and jsonb never writes an exponent.
 */
static void
pickle_number(Pickler *pickler, const JsonbValue *value)
{
	char *text = json_string(value);
	long number;

	errno = 0;
	number = strtol(text, NULL, 10);
	if (strchr(text, '.') != NULL)
		pickle_float(pickler, strtod(text, NULL));
	else if (errno == 0 && number >= PG_INT32_MIN && number <= PG_INT32_MAX)
		pickle_int32(pickler, number);
	else
		pickle_long(pickler, text);
	pfree(text); /* some bytes of jsonb can be 130 kB of digits */
}

/* A class or function of that name in that module. */
static void
pickle_global(Pickler *pickler, const char *module, const char *name)
{
	pickle_string(pickler, module, strlen(module));
	pickle_string(pickler, name, strlen(name));
	put_op(pickler, OP_STACK_GLOBAL);
	put_op(pickler, OP_MEMOIZE);
}

/* Call what is on the stack with the arguments that follow it, gathered by "tuple". */
static void
pickle_call(Pickler *pickler, char tuple)
{
	put_op(pickler, tuple);
	put_op(pickler, OP_MEMOIZE);
	put_op(pickler, OP_REDUCE);
	put_op(pickler, OP_MEMOIZE);
}

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
		unsupported(pickler, "timedelta");
		return;
	}
	total =
		DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(seconds->val.numeric)));
	if (fabs(total) > 1e12)
	{
		unsupported(pickler, "timedelta");
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
		unsupported(pickler, "datetime");
		return;
	}
	pickle_global(pickler, "pendulum.datetime", "DateTime");
	put_op(pickler, OP_MARK);
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
			put_op(pickler, OP_MARK);
		for (uint32 i = start; i < end; i++)
			write(pickler, getIthJsonbValueFromContainer(array, i));
		put_op(pickler, alone ? single : many);
	}
}

static void
pickle_list(Pickler *pickler, JsonbContainer *array, ItemWriter write)
{
	put_op(pickler, OP_EMPTY_LIST);
	put_op(pickler, OP_MEMOIZE);
	pickle_elements(pickler, array, OP_APPEND, OP_APPENDS, write);
}

static void
pickle_set(Pickler *pickler, JsonbContainer *array)
{
	put_op(pickler, OP_EMPTY_SET);
	put_op(pickler, OP_MEMOIZE);
	pickle_elements(pickler, array, 0, OP_ADDITEMS, pickle_value);
}

static void
pickle_tuple(Pickler *pickler, JsonbContainer *array)
{
	static const char short_tuple[] = {OP_EMPTY_TUPLE, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3};
	uint32 count = JsonContainerSize(array);

	if (count > 3)
		put_op(pickler, OP_MARK);
	for (uint32 i = 0; i < count; i++)
		pickle_value(pickler, getIthJsonbValueFromContainer(array, i));
	put_op(pickler, count > 3 ? OP_TUPLE : short_tuple[count]);
	if (count > 0)
		put_op(pickler, OP_MEMOIZE);
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

	put_op(pickler, OP_EMPTY_DICT);
	put_op(pickler, OP_MEMOIZE);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			if (done % BATCH_SIZE == 0 && !(alone = (count - done == 1)))
				put_op(pickler, OP_MARK);
			pickle_string(pickler, item.val.string.val, item.val.string.len);
		}
		else if (token == WJB_VALUE)
		{
			write(pickler, &item);
			done++;
			if (done % BATCH_SIZE == 0 || done == count)
				put_op(pickler, alone ? OP_SETITEM : OP_SETITEMS);
		}
	}
}

static bool
pickle_scalar(Pickler *pickler, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			put_op(pickler, OP_NONE);
			return true;
		case jbvBool:
			put_op(pickler, value->val.boolean ? OP_NEWTRUE : OP_NEWFALSE);
			return true;
		case jbvNumeric:
			pickle_number(pickler, value);
			return true;
		case jbvString:
			pickle_string(pickler, value->val.string.val, value->val.string.len);
			return true;
		default:
			return false;
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
		unsupported(pickler, type ? json_string(type) : NULL);
	else if (json_string_is(type, "dict") && JsonContainerIsObject(content))
		pickle_dict(pickler, content, pickle_value);
	else if (json_string_is(type, "tuple") && JsonContainerIsArray(content))
		pickle_tuple(pickler, content);
	else if (json_string_is(type, "set") && JsonContainerIsArray(content))
		pickle_set(pickler, content);
	else
		unsupported(pickler, type ? json_string(type) : NULL);
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

static bytea *
finish_pickle(const StringInfoData *body)
{
	StringInfoData out;
	bytea *result;

	initStringInfo(&out);
	appendBinaryStringInfo(&out, "\x80\x05", 2); /* PROTO 5 */
	if (body->len >= FRAME_SIZE_MIN && body->len < FRAME_SIZE_MAX)
	{
		appendStringInfoChar(&out, '\x95'); /* FRAME */
		put_little_endian(&out, body->len, 8);
	}
	appendBinaryStringInfo(&out, body->data, body->len);

	result = palloc(VARHDRSZ + out.len);
	SET_VARSIZE(result, VARHDRSZ + out.len);
	memcpy(VARDATA(result), out.data, out.len);
	return result;
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
		unsupported(&pickler, "an executor_config that is not a dict");
	put_op(&pickler, OP_STOP);

	*unsupported_part = pickler.unsupported;
	return pickler.unsupported ? NULL : finish_pickle(&pickler.body);
}
