/*
 * pickled_conf.c
 *		What Airflow 3's migration makes of a pickled dag_run.conf of Airflow 2.
 *
 * migrations/versions/0055_3_0_0_remove_pickled_data_from_dagrun_table.py calls, for each conf,
 * pickle.loads() and json.dumps(), and writes the text into a jsonb column. What raises an exception
 * on the way is skipped, and lost. JSON that jsonb refuses ends the transaction, and the migration
 * with it. In 3.3, _json_safe() goes through the value first: it makes strings of NaN and Infinity,
 * takes U+0000 out, and makes a list of every sequence and a dict of every mapping.
 *
 * test/airflow/pickles has the step itself judge thousands of pickles, and compares.
 */
#include "postgres.h"

#include "pickled_conf.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "values/python_dict.h"
#include "values/python_integer.h"
#include "values/python_text.h"
#include "values/unpickle.h"

/*
 * How many levels deep a value may be, seen with "airflow db migrate" of 3.0.6 to 3.3.2 and Python
 * 3.11: the limit is 1,000 calls, of which the migration itself has some 26. json.dumps() takes one
 * for each level, _json_safe() two. (Python 3.12 and later allow more.)
 */
#define MAX_LEVELS 973
#define MAX_LEVELS_3_3 487

/* jsonb.h: the length of what is in an array or object. */
#define MAX_JSONB_BYTES JENTRY_OFFLENMASK
#define ENTRY_BYTES 4

/* A value with less than that is not near any limit. */
#define MANY_LEVELS 50
#define MANY_BYTES 1048576

/* What is in a value, at any depth. */
#define HAS_LOST 0x01	  /* json.dumps() raises an exception */
#define HAS_SEQUENCE 0x02 /* in 3.3, it does not */
#define HAS_SURROGATE 0x04
#define HAS_NUL 0x08
#define HAS_NAN 0x10

/* A value as JSON. */
typedef struct JsonForm
{
	uint8 flags;
	int height;
	uint64 bytes; /* in jsonb, about */
} JsonForm;

static JsonForm form_of(const PythonValue *value, int level);

/* As much as "form" has, and one more value. */
static void
form_add(JsonForm *form, JsonForm part)
{
	form->flags |= part.flags;
	form->height = Max(form->height, part.height);
	if (form->bytes <= MAX_JSONB_BYTES) /* else it is enough */
		form->bytes += part.bytes + ENTRY_BYTES;
}

/* Half a pair matters if it is alone after U+0000 is taken out; before, that stops the step as well. */
static JsonForm
form_of_str(const char *text, int length)
{
	JsonForm form = {.bytes = length};

	if (memchr(text, '\0', length) != NULL)
		form.flags |= HAS_NUL;
	if (python_has_lone_surrogate(text, length))
		form.flags |= HAS_SURROGATE;
	return form;
}

/* The keys that json.dumps() makes strings of; NaN is one like others. */
static JsonForm
form_of_key(const PythonValue *key)
{
	switch (key->type)
	{
		case PYTHON_NONE:
		case PYTHON_BOOL:
		case PYTHON_INT:
		case PYTHON_FLOAT:
			return (JsonForm){.bytes = sizeof(int64)};
		case PYTHON_LONG:
		case PYTHON_STR:
		case PYTHON_UNKNOWN:
			return form_of(key, 0);
		default:
			return (JsonForm){.flags = HAS_LOST};
	}
}

static JsonForm
form_of_entries(const PythonItems *entries, int level)
{
	JsonForm form = {0};

	for (int i = 0; i < entries->count && (form.flags & HAS_LOST) == 0; i += 2)
	{
		form_add(&form, form_of_key(&entries->values[i]));
		form_add(&form, form_of(&entries->values[i + 1], level));
	}
	return form;
}

/*
 * Values that were overwritten do not count, but are looked for only where it may matter: few confs have
 * any. (Keys that become one in 3.3 only, as "a" and "a\0", all count.)
 */
static JsonForm
form_of_dict(const PythonItems *dict, int level)
{
	JsonForm form = form_of_entries(dict, level);

	if (form.flags != 0 || form.height > MANY_LEVELS || form.bytes > MANY_BYTES)
	{
		PythonItems *left = python_dict_items(dict);

		form = form_of_entries(left, level);
		pfree(left->values);
		pfree(left);
	}
	return form;
}

static JsonForm
form_of_elements(const PythonItems *list, int level)
{
	JsonForm form = {.flags = list->class != NULL ? HAS_SEQUENCE : 0};

	for (int i = 0; i < list->count && (form.flags & HAS_LOST) == 0; i++)
		form_add(&form, form_of(&list->values[i], level));
	return form;
}

/* A value in several places is looked at once. One in itself has no end, and is lost as a deep one is. */
static JsonForm
form_of_items(PythonType type, PythonItems *items, int level)
{
	JsonForm form;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (level > MAX_LEVELS)
		return (JsonForm){.flags = HAS_LOST};
	if (items->judged)
		return (JsonForm){.flags = items->flags, .height = items->height, .bytes = items->bytes};
	form = type == PYTHON_DICT ? form_of_dict(items, level) : form_of_elements(items, level);
	form.height++;
	form.bytes += ENTRY_BYTES; /* its head */
	items->judged = true;
	items->flags = form.flags;
	items->height = form.height;
	items->bytes = form.bytes;
	return form;
}

/* "level": in how many containers it is. */
static JsonForm
form_of(const PythonValue *value, int level)
{
	switch (value->type)
	{
		case PYTHON_NONE:
		case PYTHON_BOOL:
		case PYTHON_INT:
			return (JsonForm){.bytes = sizeof(int64)};
		case PYTHON_LONG:
			return (JsonForm){.flags = python_integer_has_text(value) ? 0 : HAS_LOST,
							  .bytes = value->length};
		case PYTHON_FLOAT:
			return (JsonForm){.flags = isfinite(value->real) ? 0 : HAS_NAN, .bytes = sizeof(int64)};
		case PYTHON_STR:
			return form_of_str(value->text, value->length);
		case PYTHON_LIST:
		case PYTHON_TUPLE:
		case PYTHON_DICT:
			return form_of_items(value->type, value->items, level + 1);
		case PYTHON_SEQUENCE:
		case PYTHON_UNKNOWN:
			return (JsonForm){0}; /* unpickler->guessed says the rest */
		default:
			return (JsonForm){.flags = HAS_LOST};
	}
}

static PickledConf
judge(Unpickler *unpickler)
{
	PythonValue value;
	JsonForm form;

	if (!unpickle(unpickler, &value))
		return unpickler->gave_up ? CONF_UNKNOWN : CONF_LOST;
	form = form_of(&value, 0);
	if ((form.flags & HAS_LOST) != 0 || form.height > MAX_LEVELS)
		return CONF_LOST;
	if (unpickler->guessed)
		return CONF_UNKNOWN;
	if ((form.flags & HAS_SURROGATE) != 0)
		return CONF_SURROGATE;
	if (form.bytes > MAX_JSONB_BYTES)
		return CONF_HUGE;
	if ((form.flags & HAS_SEQUENCE) != 0)
		return CONF_SEQUENCE;
	if ((form.flags & HAS_NUL) != 0)
		return CONF_NUL;
	if ((form.flags & HAS_NAN) != 0)
		return CONF_NAN;
	return form.height > MAX_LEVELS_3_3 ? CONF_DEEP : CONF_PLAIN;
}

/* Returns a PickledConf. */
int
pickled_conf(const char *data, int length)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "pickled conf", ALLOCSET_DEFAULT_SIZES);
	MemoryContext saved = MemoryContextSwitchTo(context);
	Unpickler unpickler = {.at = data, .end = data + length};
	PickledConf result = judge(&unpickler);

	MemoryContextSwitchTo(saved);
	MemoryContextDelete(context);
	return result;
}
