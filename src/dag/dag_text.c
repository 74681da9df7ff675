/*
 * dag_text.c
 *		A serialized DAG's JSON text, made ready for jsonb_in().
 *
 * Two things are done to it in one pass. Floats are written so that jsonb keeps their type. And of
 * its tasks, which are nearly all of it, only the fields of task_fields.h are kept where no more
 * is asked for: to make a jsonb of the rest would be most of the work.
 *
 * What is left out of text that is not JSON may be what is wrong with it, so that an outline is to be
 * made of JSON only. Whatever the text is, it is not read past its end.
 */
#include "dag_text.h"

#include <ctype.h>
#include <float.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "dag/task_fields.h"

typedef struct DagText
{
	const char *at;		/* what is looked at */
	const char *from;	/* what comes before is in "out", as far as it is kept */
	bool is_left_out;	/* nothing is kept now */
	int values;			/* that may be kept */
	StringInfoData out; /* not all yet: the rest is what follows "from" */
} DagText;

/* What a value is, on the way to the fields of the tasks: {"dag": {"tasks": [{"__var": fields}]}} */
typedef enum DagPlace
{
	PLACE_OTHER,
	PLACE_DOCUMENT,
	PLACE_DAG,
	PLACE_TASKS,
	PLACE_TASK,
	PLACE_FIELDS
} DagPlace;

static const struct
{
	DagPlace place;
	const char *key;
	DagPlace next;
} ways[] = {
	{PLACE_DOCUMENT, "\"dag\"", PLACE_DAG},
	{PLACE_DAG, "\"tasks\"", PLACE_TASKS},
	{PLACE_TASK, "\"__var\"", PLACE_FIELDS},
};

void
raise_dag_too_large(void)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("a serialized DAG is larger than %d bytes", MAX_JSON_BYTES),
					errdetail("Larger ones are not read, to save the server's memory."),
					errhint(HINT_TOO_LARGE)));
}

static void
raise_too_many_values(void)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("a serialized DAG has more than %d values", MAX_JSON_VALUES),
					errdetail("Larger ones are not read, to save the server's memory."),
					errhint(HINT_TOO_LARGE)));
}

/* Put what has been passed since "from" into "out". */
static void
keep(DagText *text)
{
	appendBinaryStringInfo(&text->out, text->from, text->at - text->from);
	text->from = text->at;
}

/*
 * Python makes a float of 1e+300 and an integer of its 301 digits, but jsonb writes both as digits.
 * Append such a number so that it keeps a fraction, and with it its type; and keep the sign of
 * a float that is zero, which jsonb has not.
 */
static void
append_float(StringInfo out, const char *token, int length)
{
	char *number = pnstrdup(token, length);
	const char *exponent = strpbrk(number, "eE");
	long power = exponent ? strtol(exponent + 1, NULL, 10) : 0;

	if (power > 0 && power <= DBL_MAX_10_EXP)
	{
		Datum value = DirectFunctionCall3(numeric_in, CStringGetDatum(number),
										  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

		pfree(number);
		number = DatumGetCString(DirectFunctionCall1(numeric_out, value));
		pfree(DatumGetPointer(value));
		if (out->len > 2 * MAX_JSON_BYTES) /* 1e308 becomes 311 bytes */
			raise_dag_too_large();
		appendStringInfo(out, strchr(number, '.') ? "%s" : "%s.0", number);
	}
	else if (strcmp(number, "-0.0") == 0)
		appendStringInfoString(out, "-1e-400"); /* no numeric, but -0.0 as a double */
	else
		appendStringInfoString(out, number);
	pfree(number);
}

/* Does append_float() write another number than is there? */
static bool
is_float_to_mark(const char *token, int length)
{
	return memchr(token, 'e', length) != NULL || memchr(token, 'E', length) != NULL ||
		   (length == 4 && memcmp(token, "-0.0", 4) == 0);
}

static void
pass_number(DagText *text)
{
	size_t length = strspn(text->at, "-+.0123456789eE");

	if (!text->is_left_out && is_float_to_mark(text->at, length))
	{
		keep(text);
		append_float(&text->out, text->at, length);
		text->from += length;
	}
	text->at += length;
}

static void
pass_string(DagText *text)
{
	const char *at = text->at + 1;

	for (; *at != '"' && *at != '\0'; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	text->at = *at == '"' ? at + 1 : at;
}

/* Whitespace, a colon, or true, false and null. */
static void
pass_word(DagText *text)
{
	do
		text->at++;
	while (isalpha((unsigned char) *text->at));
}

static void
pass_space(DagText *text)
{
	while (*text->at == ' ' || *text->at == '\n' || *text->at == '\t' || *text->at == '\r')
		text->at++; /* strspn() takes a third of the pass, for a space here and there */
}

/* A bracket, or a comma: each has a value behind it, or at least pretends to. */
static void
pass_mark(DagText *text)
{
	if (!text->is_left_out && ++text->values > MAX_JSON_VALUES)
		raise_too_many_values();
	text->at++;
}

/* A value of any kind, with all that is in it. */
static void
pass_value(DagText *text)
{
	int depth = 0;

	do
	{
		const char c = *text->at;

		if (c == '\0')
			return;
		if (c == '"')
			pass_string(text);
		else if (c == '-' || (c >= '0' && c <= '9'))
			pass_number(text);
		else if (c == '{' || c == '[' || c == ',')
			pass_mark(text);
		else if (c == '}' || c == ']')
			text->at++;
		else
			pass_word(text);
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
	} while (depth > 0);
}

/* A key, and what stands between it and its value. */
static void
pass_key(DagText *text)
{
	pass_string(text);
	pass_space(text);
	if (*text->at == ':')
		text->at++;
	pass_space(text);
}

/* On to the next member or element. False: there is none. */
static bool
pass_comma(DagText *text)
{
	pass_space(text);
	if (*text->at != ',')
		return false;
	pass_mark(text);
	return true;
}

/* Is the key that is being looked at one of a field that is read? One with escapes may be. */
static bool
is_key_of_field(const DagText *text)
{
	const char *key = text->at + 1;
	int length = 0;

	while (key[length] != '"' && key[length] != '\\' && key[length] != '\0')
		length++;
	return key[length] != '"' || is_task_field(key, length);
}

/* A task's fields, of which only those that are read are kept. */
static void
pass_fields(DagText *text)
{
	bool is_first = true;

	pass_mark(text);
	keep(text);
	do
	{
		pass_space(text);
		if (*text->at != '"')
			break;
		text->is_left_out = !is_key_of_field(text);
		text->from = text->at;
		if (!text->is_left_out && !is_first)
			appendStringInfoChar(&text->out, ',');
		pass_key(text);
		pass_value(text);
		if (!text->is_left_out)
		{
			keep(text);
			is_first = false;
		}
		text->is_left_out = false;
		text->from = text->at;
	} while (pass_comma(text));
	text->from = text->at;
}

static void pass_place(DagText *text, DagPlace place);

static DagPlace
place_of_member(const DagText *text, DagPlace place)
{
	for (int i = 0; i < (int) lengthof(ways); i++)
		if (ways[i].place == place && strncmp(text->at, ways[i].key, strlen(ways[i].key)) == 0)
			return ways[i].next;
	return PLACE_OTHER;
}

static void
pass_members(DagText *text, DagPlace place)
{
	pass_mark(text);
	do
	{
		DagPlace next;

		pass_space(text);
		if (*text->at != '"')
			break;
		next = place_of_member(text, place);
		pass_key(text);
		pass_place(text, next);
	} while (pass_comma(text));
}

static void
pass_tasks(DagText *text)
{
	pass_mark(text);
	do
	{
		pass_space(text);
		if (*text->at != '{')
			break;
		pass_place(text, PLACE_TASK);
	} while (pass_comma(text));
}

/* The value of a place. It may be anything there, for which no more than passing it is left. */
static void
pass_place(DagText *text, DagPlace place)
{
	const char first = *text->at;

	if (place == PLACE_FIELDS && first == '{')
		pass_fields(text);
	else if (place == PLACE_TASKS && first == '[')
		pass_tasks(text);
	else if (place != PLACE_OTHER && place != PLACE_TASKS && first == '{')
		pass_members(text, place);
	else
	{
		pass_value(text);
		return;
	}
	if (*text->at == '}' || *text->at == ']')
		text->at++;
}

/*
 * The text with every float written as one, and, as an outline, with no more of the tasks than is
 * read: another text, or the same where there is nothing to do. Raises an error for one of too many
 * values.
 */
char *
dag_text_prepare(char *text, bool outline)
{
	DagText work = {.at = text, .from = text};

	initStringInfo(&work.out);
	pass_space(&work);
	pass_place(&work, outline ? PLACE_DOCUMENT : PLACE_OTHER);
	while (*work.at != '\0') /* which is no JSON */
		pass_value(&work);
	if (work.from == text)
		return text;
	keep(&work);
	pfree(text);
	return work.out.data;
}
