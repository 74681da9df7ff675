/*
 * python_value.c
 *		Python's values, as far as JSON or the loading of a pickle depends on them.
 */
#include "postgres.h"

#include "python_value.h"

#define FIRST_CAPACITY 4

/* A new list, tuple or dict without items. */
PythonValue
python_container(PythonType type, const PythonClass *class)
{
	PythonValue value = {.type = type};

	value.items = palloc0(sizeof(PythonItems));
	value.items->class = class;
	return value;
}

PythonValue
python_str(const char *text, int length)
{
	return (PythonValue){.type = PYTHON_STR, .length = length, .text = text};
}

void
python_add(PythonItems *items, const PythonValue *value)
{
	if (items->count == items->capacity)
	{
		int capacity = Max(FIRST_CAPACITY, items->capacity * 2);
		Size size = capacity * sizeof(PythonValue);

		items->values = items->values ? repalloc(items->values, size) : palloc(size);
		items->capacity = capacity;
	}
	items->values[items->count++] = *value;
}

/* Can it be a key, or in a set? */
bool
python_hashable(const PythonValue *value)
{
	switch (value->type)
	{
		case PYTHON_LIST:
		case PYTHON_DICT:
		case PYTHON_SET:
		case PYTHON_BYTEARRAY:
			return false;
		case PYTHON_TUPLE:
			return !value->items->unhashable;
		default:
			return true;
	}
}
