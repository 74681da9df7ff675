/*
 * python_dict.c
 *		Which keys of a dict are one and the same, so that the last value is left.
 */
#include "postgres.h"

#include "python_dict.h"

#include <math.h>

#include "values/python_integer.h"

/* Keys that are equal have the same kind: 1, 1.0 and True are one. */
typedef enum KeyKind
{
	KEY_NONE,
	KEY_INT,
	KEY_LONG,
	KEY_FLOAT,
	KEY_NAN, /* equal to itself only */
	KEY_STR,
	KEY_OTHER /* JSON knows none of these */
} KeyKind;

typedef struct DictKey
{
	KeyKind kind;
	PythonValue value;
	int place; /* in the order in which they were set */
} DictKey;

static DictKey
dict_key(const PythonValue *value, int place)
{
	static const KeyKind kinds[] = {
		[PYTHON_NONE] = KEY_NONE, [PYTHON_BOOL] = KEY_INT,	  [PYTHON_INT] = KEY_INT,
		[PYTHON_LONG] = KEY_LONG, [PYTHON_FLOAT] = KEY_FLOAT, [PYTHON_STR] = KEY_STR,
	};
	DictKey key = {.kind = KEY_OTHER, .value = *value, .place = place};

	if (value->type < lengthof(kinds))
		key.kind = kinds[value->type];
	if (key.kind == KEY_FLOAT && isnan(value->real))
		key.kind = KEY_NAN;
	else if (key.kind == KEY_FLOAT && isfinite(value->real) && trunc(value->real) == value->real)
	{
		key.value = python_integer_of_float(value->real);
		key.kind = key.value.type == PYTHON_INT ? KEY_INT : KEY_LONG;
	}
	return key;
}

static int
compare(int64 a, int64 b)
{
	return a < b ? -1 : a > b;
}

static int
compare_keys(const DictKey *a, const DictKey *b)
{
	int order;

	if (a->kind != b->kind)
		return compare(a->kind, b->kind);
	switch (a->kind)
	{
		case KEY_NONE:
			return 0;
		case KEY_INT:
			return compare(a->value.number, b->value.number);
		case KEY_FLOAT:
			return a->value.real < b->value.real ? -1 : a->value.real > b->value.real;
		case KEY_NAN:
			return compare(a->value.length, b->value.length);
		case KEY_LONG:
		case KEY_STR:
			order = compare(a->value.length, b->value.length);
			return order ? order : memcmp(a->value.text, b->value.text, a->value.length);
		default:
			return compare(a->place, b->place);
	}
}

static int
compare_keys_and_places(const void *a, const void *b, void *ignored pg_attribute_unused())
{
	int order = compare_keys(a, b);

	return order ? order : compare(((const DictKey *) a)->place, ((const DictKey *) b)->place);
}

/* The items of a dict without the values that were overwritten, in no particular order. */
PythonItems *
python_dict_items(const PythonItems *dict)
{
	PythonItems *result = palloc0(sizeof(PythonItems));
	int count = dict->count / 2;
	DictKey *keys = palloc(Max(count, 1) * sizeof(DictKey));

	for (int i = 0; i < count; i++)
		keys[i] = dict_key(&dict->values[2 * i], i);
	qsort_interruptible(keys, count, sizeof(DictKey), compare_keys_and_places, NULL);
	for (int i = 0; i < count; i++)
	{
		if (i + 1 < count && compare_keys(&keys[i], &keys[i + 1]) == 0)
			continue;
		python_add(result, &dict->values[2 * keys[i].place]);
		python_add(result, &dict->values[2 * keys[i].place + 1]);
	}
	pfree(keys);
	return result;
}
