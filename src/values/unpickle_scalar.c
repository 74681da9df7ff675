/*
 * unpickle_scalar.c
 *		The opcodes for numbers, strings and bytes.
 */
#include "postgres.h"

#include "unpickle.h"

#include <math.h>

#include "port/pg_bswap.h"

#include "values/python_integer.h"
#include "values/python_text.h"

static void
push_integer(Unpickler *unpickler, int64 number)
{
	unpickle_push(unpickler, &(PythonValue){.type = PYTHON_INT, .number = number});
}

static void
push_float(Unpickler *unpickler, double real)
{
	PythonValue value = {.type = PYTHON_FLOAT, .real = real};

	if (isnan(real))
		value.length = ++unpickler->nan_count;
	unpickle_push(unpickler, &value);
}

static void
push_str(Unpickler *unpickler, const char *text, int length)
{
	PythonValue value = python_str(text, length);

	unpickle_push(unpickler, &value);
}

/* Of 4 bytes it has a sign, of 1 and 2 none. */
bool
load_integer(Unpickler *unpickler, int size)
{
	uint64 number;

	if (!unpickle_length(unpickler, size, &number))
		return false;
	push_integer(unpickler, size == 4 ? (int64) (int32) number : (int64) number);
	return true;
}

/*
 * Whatever C's strtol takes, and else what Python's int takes. ("01" is True and "00" False, which are
 * as good as 1 and 0 here.)
 */
bool
load_integer_line(Unpickler *unpickler)
{
	char *line;
	char *end;
	int length;
	long number;
	PythonValue value;

	if (!unpickle_line(unpickler, &line, &length) || length == 0)
		return false;
	errno = 0;
	number = strtol(line, &end, 0);
	if (errno != 0 || *end != '\0')
	{
		if (!python_integer_read(line, 0, &value))
			return false;
		unpickle_push(unpickler, &value);
	}
	else
		push_integer(unpickler, number);
	return true;
}

bool
load_long(Unpickler *unpickler, int size)
{
	uint64 length;
	const char *bytes;
	PythonValue value;

	if (!unpickle_length(unpickler, size, &length) || length > PG_INT32_MAX ||
		!unpickle_read(unpickler, length, &bytes))
		return false;
	value = python_integer(bytes, length);
	unpickle_push(unpickler, &value);
	return true;
}

/* Python 2 wrote an L at the end. */
bool
load_long_line(Unpickler *unpickler)
{
	char *line;
	int length;
	PythonValue value;

	if (!unpickle_line(unpickler, &line, &length) || length == 0)
		return false;
	if (line[length - 1] == 'L')
		line[length - 1] = '\0';
	if (!python_integer_read(line, 0, &value))
		return false;
	unpickle_push(unpickler, &value);
	return true;
}

bool
load_float(Unpickler *unpickler)
{
	const char *bytes;
	uint64 bits;
	double value;

	if (!unpickle_read(unpickler, sizeof(bits), &bytes))
		return false;
	memcpy(&bits, bytes, sizeof(bits));
	bits = pg_ntoh64(bits);
	memcpy(&value, &bits, sizeof(value));
	push_float(unpickler, value);
	return true;
}

bool
load_float_line(Unpickler *unpickler)
{
	char *line;
	int length;
	double value;

	if (!unpickle_line(unpickler, &line, &length) || !python_read_float(line, &value))
		return false;
	push_float(unpickler, value);
	return true;
}

/* A string of Python 2, which Python 3 takes for ASCII. */
bool
load_string(Unpickler *unpickler, int size)
{
	uint64 length;
	const char *text;

	if (!unpickle_length(unpickler, size, &length) || !unpickle_read(unpickler, length, &text) ||
		!python_is_ascii(text, length))
		return false;
	push_str(unpickler, text, length);
	return true;
}

bool
load_string_line(Unpickler *unpickler)
{
	char *line;
	int length;
	StringInfoData text;

	if (!unpickle_line(unpickler, &line, &length) || length < 2 || line[0] != line[length - 1] ||
		(line[0] != '\'' && line[0] != '"'))
		return false;
	initStringInfo(&text);
	if (!python_read_escaped(line + 1, length - 2, &text) || !python_is_ascii(text.data, text.len))
		return false;
	push_str(unpickler, text.data, text.len);
	return true;
}

bool
load_unicode(Unpickler *unpickler, int size)
{
	uint64 length;
	const char *text;

	if (!unpickle_length(unpickler, size, &length) || !unpickle_read(unpickler, length, &text) ||
		!python_utf8_is_valid(text, length, true))
		return false;
	push_str(unpickler, text, length);
	return true;
}

bool
load_unicode_line(Unpickler *unpickler)
{
	char *line;
	int length;
	StringInfoData text;

	if (!unpickle_line(unpickler, &line, &length))
		return false;
	initStringInfo(&text);
	if (!python_read_raw_unicode(line, length, &text))
		return false;
	push_str(unpickler, text.data, text.len);
	return true;
}

bool
load_bytes(Unpickler *unpickler, int size)
{
	uint64 length;
	const char *bytes;

	if (!unpickle_length(unpickler, size, &length) || !unpickle_read(unpickler, length, &bytes))
		return false;
	unpickle_push(unpickler, &(PythonValue){.type = PYTHON_BYTES});
	return true;
}

bool
load_bytearray(Unpickler *unpickler, int size)
{
	uint64 length;
	const char *bytes;

	if (!unpickle_length(unpickler, size, &length) || !unpickle_read(unpickler, length, &bytes))
		return false;
	unpickle_push(unpickler, &(PythonValue){.type = PYTHON_BYTEARRAY});
	return true;
}

/* Memory that may be written becomes a view of it that may not. */
bool
load_readonly_buffer(Unpickler *unpickler)
{
	PythonValue *top;

	if (unpickler->size <= unpickler->fence)
		return false;
	top = &unpickler->stack[unpickler->size - 1];
	switch (top->type)
	{
		case PYTHON_BYTES:
			return true;
		case PYTHON_BYTEARRAY:
		case PYTHON_SEQUENCE:
			top->type = PYTHON_SEQUENCE;
			unpickler->guessed = true;
			return true;
		case PYTHON_UNKNOWN:
			return true;
		default:
			return false;
	}
}
