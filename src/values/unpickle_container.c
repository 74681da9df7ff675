/*
 * unpickle_container.c
 *		The opcodes for lists, dicts and sets.
 */
#include "postgres.h"

#include "unpickle.h"

#include "values/python_class.h"

/* False where Python says that the type is unhashable. */
static bool
are_hashable(Unpickler *unpickler, int start, int step)
{
	for (int i = start; i < unpickler->size; i += step)
		if (!python_hashable(&unpickler->stack[i]))
			return false;
	return true;
}

static void
add_from(Unpickler *unpickler, PythonItems *items, int start)
{
	for (int i = start; i < unpickler->size; i++)
		python_add(items, &unpickler->stack[i]);
	unpickler->size = start;
}

/* An empty one, or one of what follows the mark. */
bool
load_list(Unpickler *unpickler, int marked)
{
	PythonValue list = python_container(PYTHON_LIST, NULL);
	int start = unpickler->size;

	if (marked && !unpickle_mark(unpickler, &start))
		return false;
	add_from(unpickler, list.items, start);
	unpickle_push(unpickler, &list);
	return true;
}

bool
load_dict(Unpickler *unpickler, int marked)
{
	PythonValue dict = python_container(PYTHON_DICT, NULL);
	int start = unpickler->size;

	if (marked && !unpickle_mark(unpickler, &start))
		return false;
	if ((unpickler->size - start) % 2 != 0 || !are_hashable(unpickler, start, 2))
		return false;
	add_from(unpickler, dict.items, start);
	unpickle_push(unpickler, &dict);
	return true;
}

bool
load_set(Unpickler *unpickler)
{
	unpickle_push(unpickler, &(PythonValue){.type = PYTHON_SET});
	return true;
}

bool
load_frozenset(Unpickler *unpickler)
{
	int start;

	if (!unpickle_mark(unpickler, &start) || !are_hashable(unpickler, start, 1))
		return false;
	unpickler->size = start;
	unpickle_push(unpickler, &(PythonValue){.type = PYTHON_FROZENSET});
	return true;
}

/*
 * What the values on the stack from *start on are to be added to: the one below them. NULL where there
 * is none.
 */
static PythonValue *
find_target(Unpickler *unpickler, bool many, int count, int *start)
{
	*start = unpickler->size - count;
	if (many && !unpickle_mark(unpickler, start))
		return NULL;
	if (*start <= unpickler->fence)
		return NULL;
	return &unpickler->stack[*start - 1];
}

/* What Python does with the value is not known: some class or other, or an element out of range. */
static bool
guess(Unpickler *unpickler, int start)
{
	unpickler->guessed = true;
	unpickler->size = start;
	return true;
}

/* APPEND and APPENDS, which call extend() or append(). */
bool
load_append(Unpickler *unpickler, int many)
{
	int start;
	PythonValue *target = find_target(unpickler, many, 1, &start);

	if (target == NULL)
		return false;
	if (start == unpickler->size)
		return true;
	switch (target->type)
	{
		case PYTHON_LIST:
			add_from(unpickler, target->items, start);
			return true;
		case PYTHON_BYTEARRAY:
		case PYTHON_SEQUENCE:
		case PYTHON_UNKNOWN:
			return guess(unpickler, start);
		default:
			return false;
	}
}

/* list[index] = value */
static bool
set_element(Unpickler *unpickler, PythonItems *list, const PythonValue *index,
			const PythonValue *value)
{
	int64 place = index->number;

	if (index->type == PYTHON_UNKNOWN)
	{
		unpickler->guessed = true;
		return true;
	}
	if (index->type != PYTHON_INT && index->type != PYTHON_BOOL)
		return false;
	if (place < 0)
		place += list->count;
	if (place < 0 || place >= list->count)
		return false;
	list->values[place] = *value;
	return true;
}

/* SETITEM and SETITEMS: to a dict, or to whatever takes it. */
bool
load_setitem(Unpickler *unpickler, int many)
{
	int start;
	PythonValue *target = find_target(unpickler, many, 2, &start);

	if (target == NULL)
		return false;
	if (start == unpickler->size)
		return true;
	if ((unpickler->size - start) % 2 != 0)
		return false;
	switch (target->type)
	{
		case PYTHON_DICT:
			if (!are_hashable(unpickler, start, 2))
				return false;
			add_from(unpickler, target->items, start);
			return true;
		case PYTHON_LIST:
			for (int i = start; i < unpickler->size; i += 2)
				if (!set_element(unpickler, target->items, &unpickler->stack[i],
								 &unpickler->stack[i + 1]))
					return false;
			unpickler->size = start;
			return true;
		case PYTHON_BYTEARRAY:
		case PYTHON_SEQUENCE:
		case PYTHON_UNKNOWN:
			return guess(unpickler, start);
		default:
			return false;
	}
}

/* To a set, or to whatever has a method add(). */
bool
load_additems(Unpickler *unpickler)
{
	int start;
	PythonValue *target = find_target(unpickler, true, 0, &start);

	if (target == NULL)
		return false;
	if (start == unpickler->size)
		return true;
	switch (target->type)
	{
		case PYTHON_SET:
			if (!are_hashable(unpickler, start, 1))
				return false;
			unpickler->size = start;
			return true;
		case PYTHON_CLASS:
		case PYTHON_OBJECT:
		case PYTHON_SEQUENCE:
		case PYTHON_UNKNOWN:
			return guess(unpickler, start);
		default:
			return false;
	}
}
