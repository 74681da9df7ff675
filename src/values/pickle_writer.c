/*
 * pickle_writer.c
 *		Write a pickle: numbers, strings, names of classes, and the frame around it all.
 */
#include "pickle_writer.h"

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"

#include "util/jsonb_member.h"
#include "values/python_integer.h"

/* Lib/pickle.py: _Framer._FRAME_SIZE_TARGET. */
#define FRAME_SIZE_MIN 4
#define FRAME_SIZE_MAX (64 * 1024)

void
pickle_op(Pickler *pickler, char op)
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
void
pickle_unsupported(Pickler *pickler, const char *what)
{
	pickler->unsupported = what ? what : "an object of unknown type";
}

/* A string, which pickle has in UTF-8. */
void
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
		pickle_op(pickler, OP_SHORT_BINUNICODE);
		put_little_endian(&pickler->body, length, 1);
	}
	else
	{
		pickle_op(pickler, OP_BINUNICODE);
		put_little_endian(&pickler->body, length, 4);
	}
	appendBinaryStringInfo(&pickler->body, text, length);
	pickle_op(pickler, OP_MEMOIZE);
}

static void
pickle_float(Pickler *pickler, double number)
{
	uint64 bits;

	memcpy(&bits, &number, sizeof(bits));
	bits = pg_hton64(bits);
	pickle_op(pickler, OP_BINFLOAT);
	appendBinaryStringInfo(&pickler->body, (char *) &bits, sizeof(bits));
}

static void
pickle_long(Pickler *pickler, const char *decimal)
{
	unsigned char bytes[MAX_INTEGER_BYTES];
	int length;

	if (strlen(decimal) > MAX_INTEGER_DIGITS)
	{
		pickle_unsupported(pickler, "an integer of more digits than Python reads");
		return;
	}
	length = encode_long(decimal, bytes);
	pickle_op(pickler, length <= 0xff ? OP_LONG1 : OP_LONG4);
	put_little_endian(&pickler->body, length, length <= 0xff ? 1 : 4);
	appendBinaryStringInfo(&pickler->body, (char *) bytes, length);
}

void
pickle_int32(Pickler *pickler, int32 number)
{
	if (number >= 0 && number <= 0xff)
	{
		pickle_op(pickler, OP_BININT1);
		put_little_endian(&pickler->body, number, 1);
	}
	else if (number >= 0 && number <= 0xffff)
	{
		pickle_op(pickler, OP_BININT2);
		put_little_endian(&pickler->body, number, 2);
	}
	else
	{
		pickle_op(pickler, OP_BININT);
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

/* A value that is no container; false for one that is. */
bool
pickle_scalar(Pickler *pickler, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			pickle_op(pickler, OP_NONE);
			return true;
		case jbvBool:
			pickle_op(pickler, value->val.boolean ? OP_NEWTRUE : OP_NEWFALSE);
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

/* A class or function of that name in that module. */
void
pickle_global(Pickler *pickler, const char *module, const char *name)
{
	pickle_string(pickler, module, strlen(module));
	pickle_string(pickler, name, strlen(name));
	pickle_op(pickler, OP_STACK_GLOBAL);
	pickle_op(pickler, OP_MEMOIZE);
}

/* Call what is on the stack with the arguments that follow it, gathered by "tuple". */
void
pickle_call(Pickler *pickler, char tuple)
{
	pickle_op(pickler, tuple);
	pickle_op(pickler, OP_MEMOIZE);
	pickle_op(pickler, OP_REDUCE);
	pickle_op(pickler, OP_MEMOIZE);
}

/* The whole pickle of what was written. */
bytea *
pickle_finish(const Pickler *pickler)
{
	const StringInfoData *body = &pickler->body;
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
