/*
 * unpickle_class.c
 *		The opcodes that name a class, call it, or give its object a state.
 *
 * Where the arguments may be wrong, unpickler->guessed says so: it matters only where the object is
 * nothing that JSON cannot have in any case.
 */
#include "postgres.h"

#include "unpickle.h"

#include "values/python_class.h"
#include "values/python_text.h"

static PythonValue
unknown(Unpickler *unpickler)
{
	unpickler->guessed = true;
	return (PythonValue){.type = PYTHON_UNKNOWN};
}

static bool
find_class(Unpickler *unpickler, PythonName module, PythonName name, PythonValue *class)
{
	if (python_class_is_missing(module, name, unpickler->protocol))
		return false;
	class->type = PYTHON_CLASS;
	class->class = python_class_find(module, name);
	if (class->class == NULL)
		*class = unknown(unpickler);
	return true;
}

static bool
push_class(Unpickler *unpickler, PythonName module, PythonName name)
{
	PythonValue class;

	if (!find_class(unpickler, module, name, &class))
		return false;
	unpickle_push(unpickler, &class);
	return true;
}

/* The two lines of a name; "ascii": nothing else is allowed. */
static bool
read_name(Unpickler *unpickler, PythonName *name, bool ascii)
{
	char *line;

	if (!unpickle_line(unpickler, &line, &name->length) || name->length == 0)
		return false;
	name->text = line;
	return ascii ? python_is_ascii(line, name->length)
				 : python_utf8_is_valid(line, name->length, false);
}

bool
load_global(Unpickler *unpickler)
{
	PythonName module;
	PythonName name;

	return read_name(unpickler, &module, false) && read_name(unpickler, &name, false) &&
		   push_class(unpickler, module, name);
}

bool
load_stack_global(Unpickler *unpickler)
{
	PythonValue name;
	PythonValue module;

	if (!unpickle_pop(unpickler, &name) || !unpickle_pop(unpickler, &module))
		return false;
	if (name.type == PYTHON_UNKNOWN || module.type == PYTHON_UNKNOWN)
	{
		PythonValue value = unknown(unpickler);

		unpickle_push(unpickler, &value);
		return true;
	}
	return name.type == PYTHON_STR && module.type == PYTHON_STR &&
		   push_class(unpickler, (PythonName){module.text, module.length},
					  (PythonName){name.text, name.length});
}

/* Items of a list, tuple or dict in a new one. */
static PythonValue
copy_items(Unpickler *unpickler, PythonType type, const PythonClass *class,
		   const PythonItems *items)
{
	PythonValue copy = python_container(type, class);

	for (int i = 0; i < items->count; i++)
	{
		python_add(copy.items, &items->values[i]);
		copy.items->unhashable |= !python_hashable(&items->values[i]);
	}
	unpickler->steps += items->count;
	return copy;
}

static bool
is_list_or_tuple(const PythonValue *value)
{
	return value->type == PYTHON_LIST || value->type == PYTHON_TUPLE;
}

/* Does iter(value) raise an exception? */
static bool
is_not_iterable(const PythonValue *value)
{
	switch (value->type)
	{
		case PYTHON_NONE:
		case PYTHON_BOOL:
		case PYTHON_INT:
		case PYTHON_LONG:
		case PYTHON_FLOAT:
		case PYTHON_CLASS:
			return true;
		default:
			return false;
	}
}

/* list(...), tuple(...), collections.deque(...) */
static bool
call_sequence(Unpickler *unpickler, PythonType type, const PythonClass *class,
			  const PythonItems *arguments, PythonValue *result)
{
	if (arguments->count == 0)
		*result = python_container(type, class);
	else if (is_not_iterable(&arguments->values[0]) || (arguments->count > 1 && class == NULL))
		return false;
	else if (arguments->count == 1 && is_list_or_tuple(&arguments->values[0]))
		*result = copy_items(unpickler, type, class, arguments->values[0].items);
	else
		*result = unknown(unpickler);
	return true;
}

/* Pairs of a key and a value, as Python 2 pickles an OrderedDict. */
static bool
dict_of_pairs(Unpickler *unpickler, const PythonItems *pairs, PythonValue *dict)
{
	for (int i = 0; i < pairs->count; i++)
	{
		const PythonItems *pair = pairs->values[i].items;

		if (is_not_iterable(&pairs->values[i]))
			return false;
		if (!is_list_or_tuple(&pairs->values[i]))
		{
			*dict = unknown(unpickler);
			return true;
		}
		if (pair->count != 2 || !python_hashable(&pair->values[0]))
			return false;
		python_add(dict->items, &pair->values[0]);
		python_add(dict->items, &pair->values[1]);
	}
	unpickler->steps += pairs->count;
	return true;
}

/* dict(...), collections.OrderedDict(...), collections.Counter(...) */
static bool
call_dict(Unpickler *unpickler, const PythonClass *class, const PythonItems *arguments,
		  PythonValue *result)
{
	const PythonValue *first = arguments->values;

	*result = python_container(PYTHON_DICT, class);
	if (arguments->count == 0 || (class->kind == CLASS_COUNTER && first->type == PYTHON_NONE))
		return arguments->count <= 1;
	if (arguments->count > 1 || is_not_iterable(first))
		return false;
	if (first->type == PYTHON_DICT)
		*result = copy_items(unpickler, PYTHON_DICT, class, first->items);
	else if (is_list_or_tuple(first) && class->kind != CLASS_COUNTER)
		return dict_of_pairs(unpickler, first->items, result);
	else
		*result = unknown(unpickler);
	return true;
}

/* collections.defaultdict(factory) */
static bool
call_default_dict(Unpickler *unpickler, const PythonClass *class, const PythonItems *arguments,
				  PythonValue *result)
{
	*result = python_container(PYTHON_DICT, class);
	if (arguments->count > 1)
		*result = unknown(unpickler);
	else if (arguments->count == 1)
		switch (arguments->values[0].type)
		{
			case PYTHON_NONE:
			case PYTHON_CLASS:
				break;
			case PYTHON_UNKNOWN:
			case PYTHON_OBJECT:
			case PYTHON_SEQUENCE:
				unpickler->guessed = true;
				break;
			default:
				return false;
		}
	return true;
}

/* set(...), frozenset(...), as protocols before 4 have them */
static bool
call_set(Unpickler *unpickler, PythonType type, const PythonItems *arguments, PythonValue *result)
{
	const PythonValue *first = arguments->values;

	*result = (PythonValue){.type = type};
	if (arguments->count == 0)
		return true;
	if (arguments->count > 1 || is_not_iterable(first))
		return false;
	if (!is_list_or_tuple(first))
	{
		unpickler->guessed = true;
		return true;
	}
	for (int i = 0; i < first->items->count; i++)
		if (!python_hashable(&first->items->values[i]))
			return false;
	unpickler->steps += first->items->count;
	return true;
}

/* bytes(...), bytearray(...), _codecs.encode(text, 'latin1'), as protocols before 3 have them */
static bool
call_bytes(Unpickler *unpickler, const PythonClass *class, const PythonItems *arguments,
		   PythonValue *result)
{
	const PythonValue *first = arguments->values;
	bool with_codec = arguments->count == 2 && first[0].type == PYTHON_STR &&
					  first[1].type == PYTHON_STR && first[1].length >= 6 &&
					  memcmp(first[1].text, "latin", 5) == 0;

	*result =
		(PythonValue){.type = class->kind == CLASS_BYTEARRAY ? PYTHON_BYTEARRAY : PYTHON_BYTES};
	if (with_codec)
		return python_utf8_is_latin1(first->text, first->length);
	if (class->kind == CLASS_ENCODE)
		*result = unknown(unpickler);
	else if (arguments->count > 1 || (arguments->count == 1 && first->type != PYTHON_BYTES))
		unpickler->guessed = true;
	return true;
}

/* str(), int(), float(), bool() */
static bool
call_scalar(Unpickler *unpickler, PythonClassKind kind, const PythonItems *arguments,
			PythonValue *result)
{
	if (arguments->count > 0)
		*result = unknown(unpickler);
	else if (kind == CLASS_STR)
		*result = python_str("", 0);
	else
		*result = (PythonValue){.type = kind == CLASS_INT	 ? PYTHON_INT
										: kind == CLASS_BOOL ? PYTHON_BOOL
															 : PYTHON_FLOAT};
	return true;
}

/* getattr(class, '_unpickle'), as time zones are pickled */
static bool
call_getattr(Unpickler *unpickler, const PythonItems *arguments, PythonValue *result)
{
	static const PythonClass loader = {"", "_unpickle", CLASS_LOADER};
	const PythonValue *values = arguments->values;

	if (arguments->count == 2 && values[0].type == PYTHON_CLASS &&
		values[0].class->kind == CLASS_OBJECT && values[1].type == PYTHON_STR &&
		values[1].length == (int) strlen(loader.name) &&
		memcmp(values[1].text, loader.name, values[1].length) == 0)
	{
		unpickler->guessed = true;
		*result = (PythonValue){.type = PYTHON_CLASS, .class = &loader};
	}
	else
		*result = unknown(unpickler);
	return true;
}

static bool
call_class(Unpickler *unpickler, const PythonClass *class, const PythonItems *arguments,
		   PythonValue *result)
{
	switch (class->kind)
	{
		case CLASS_LIST:
			return call_sequence(unpickler, PYTHON_LIST, NULL, arguments, result);
		case CLASS_TUPLE:
			return call_sequence(unpickler, PYTHON_TUPLE, NULL, arguments, result);
		case CLASS_DEQUE:
			return call_sequence(unpickler, PYTHON_LIST, class, arguments, result);
		case CLASS_DICT:
		case CLASS_ORDERED_DICT:
		case CLASS_COUNTER:
			return call_dict(unpickler, class, arguments, result);
		case CLASS_DEFAULT_DICT:
			return call_default_dict(unpickler, class, arguments, result);
		case CLASS_SET:
			return call_set(unpickler, PYTHON_SET, arguments, result);
		case CLASS_FROZENSET:
			return call_set(unpickler, PYTHON_FROZENSET, arguments, result);
		case CLASS_STR:
		case CLASS_INT:
		case CLASS_FLOAT:
		case CLASS_BOOL:
			return call_scalar(unpickler, class->kind, arguments, result);
		case CLASS_BYTES:
		case CLASS_BYTEARRAY:
		case CLASS_ENCODE:
			return call_bytes(unpickler, class, arguments, result);
		case CLASS_GETATTR:
			return call_getattr(unpickler, arguments, result);
		default:
			break;
	}
	unpickler->guessed = true;
	*result =
		(PythonValue){.type = class->kind == CLASS_SEQUENCE ? PYTHON_SEQUENCE : PYTHON_OBJECT};
	return true;
}

/* Push what a call gives. */
static bool
call(Unpickler *unpickler, const PythonValue *callable, const PythonValue *arguments)
{
	PythonValue result;

	if (callable->type == PYTHON_UNKNOWN || arguments->type == PYTHON_UNKNOWN)
		result = unknown(unpickler);
	else if (callable->type != PYTHON_CLASS || arguments->type != PYTHON_TUPLE ||
			 !call_class(unpickler, callable->class, arguments->items, &result))
		return false;
	unpickle_push(unpickler, &result);
	return true;
}

/* class.__new__(class, ...), which fills no container. */
static bool
make(Unpickler *unpickler, const PythonValue *class, const PythonValue *arguments)
{
	PythonValue result;

	if (class->type == PYTHON_UNKNOWN || arguments->type == PYTHON_UNKNOWN)
		return call(unpickler, class, arguments);
	if (class->type != PYTHON_CLASS || arguments->type != PYTHON_TUPLE)
		return false;
	switch (class->class->kind)
	{
		case CLASS_LIST:
			result = python_container(PYTHON_LIST, NULL);
			break;
		case CLASS_DEQUE:
			result = python_container(PYTHON_LIST, class->class);
			break;
		case CLASS_DICT:
		case CLASS_ORDERED_DICT:
		case CLASS_DEFAULT_DICT:
		case CLASS_COUNTER:
			result = python_container(PYTHON_DICT, class->class);
			break;
		case CLASS_SET:
			result = (PythonValue){.type = PYTHON_SET};
			break;
		case CLASS_ENCODE:
		case CLASS_GETATTR:
		case CLASS_LOADER:
			return false;
		default:
			return call(unpickler, class, arguments);
	}
	unpickle_push(unpickler, &result);
	return true;
}

/* With no arguments, a class of Python 2 is not initialized. */
static bool
instantiate(Unpickler *unpickler, const PythonValue *class, const PythonValue *arguments)
{
	bool is_function = class->type == PYTHON_CLASS && class->class->kind >= CLASS_ENCODE;

	if (class->type == PYTHON_CLASS && !is_function && arguments->items->count == 0)
		return make(unpickler, class, arguments);
	return call(unpickler, class, arguments);
}

bool
load_inst(Unpickler *unpickler)
{
	PythonName module;
	PythonName name;
	PythonValue class;
	PythonValue arguments;
	int start;

	if (!unpickle_mark(unpickler, &start) || !read_name(unpickler, &module, true) ||
		!read_name(unpickler, &name, true) || !find_class(unpickler, module, name, &class))
		return false;
	(void) unpickle_tuple(unpickler, start, &arguments);
	return instantiate(unpickler, &class, &arguments);
}

bool
load_obj(Unpickler *unpickler)
{
	PythonValue class;
	PythonValue arguments;
	int start;

	if (!unpickle_mark(unpickler, &start) || start == unpickler->size)
		return false;
	(void) unpickle_tuple(unpickler, start + 1, &arguments);
	(void) unpickle_pop(unpickler, &class);
	return instantiate(unpickler, &class, &arguments);
}

bool
load_reduce(Unpickler *unpickler)
{
	PythonValue callable;
	PythonValue arguments;

	return unpickle_pop(unpickler, &arguments) && unpickle_pop(unpickler, &callable) &&
		   call(unpickler, &callable, &arguments);
}

bool
load_newobj(Unpickler *unpickler, int with_keywords)
{
	PythonValue class;
	PythonValue arguments;
	PythonValue keywords = {.type = PYTHON_NOTHING};

	if ((with_keywords && !unpickle_pop(unpickler, &keywords)) ||
		!unpickle_pop(unpickler, &arguments) || !unpickle_pop(unpickler, &class))
		return false;
	if (with_keywords && keywords.type != PYTHON_DICT && keywords.type != PYTHON_UNKNOWN)
		return false;
	if (with_keywords && (keywords.type == PYTHON_UNKNOWN || keywords.items->count > 0))
		class = unknown(unpickler);
	return make(unpickler, &class, &arguments);
}

/* Attributes, in a dict; is there a place for them? */
static bool
set_attributes(Unpickler *unpickler, const PythonValue *state, bool has_attributes)
{
	if (state->type == PYTHON_UNKNOWN)
		unpickler->guessed = true;
	else if (state->type != PYTHON_DICT || !has_attributes)
		return false;
	else if (state->items->count > 0) /* one may be called "items" */
		unpickler->guessed = true;
	return true;
}

/* BUILD, where the class has no __setstate__() of its own. */
static bool
set_state(Unpickler *unpickler, const PythonValue *object, const PythonValue *state)
{
	const PythonClass *class = object->type == PYTHON_DICT ? object->items->class : NULL;
	bool has_dict =
		class != NULL && (class->kind == CLASS_ORDERED_DICT || class->kind == CLASS_COUNTER);
	const PythonValue *slots = NULL;

	if (state->type == PYTHON_TUPLE && state->items->count == 2)
	{
		slots = &state->items->values[1];
		state = &state->items->values[0];
	}
	if (state->type != PYTHON_NONE && !set_attributes(unpickler, state, has_dict))
		return false;
	if (slots == NULL)
		return true;
	return set_attributes(unpickler, slots,
						  has_dict || (slots->type == PYTHON_DICT && slots->items->count == 0));
}

bool
load_build(Unpickler *unpickler)
{
	PythonValue state;
	const PythonValue *object;

	if (unpickler->size - 2 < unpickler->fence)
		return false;
	(void) unpickle_pop(unpickler, &state);
	object = &unpickler->stack[unpickler->size - 1];
	switch (object->type)
	{
		case PYTHON_CLASS:
		case PYTHON_OBJECT:
		case PYTHON_SEQUENCE:
		case PYTHON_UNKNOWN:
			unpickler->guessed = true;
			return true;
		default:
			return set_state(unpickler, object, &state);
	}
}
