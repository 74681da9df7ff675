/*
 * unpickle.c
 *		Load a pickle, as pickle.loads() does, as far as that can be known without Python.
 *
 * Follows Modules/_pickle.c of Python, whose checks differ from those of Lib/pickle.py. Nothing is
 * imported and nothing is called: python_class.c knows what comes of the classes that there may be,
 * and everything else is a value of type PYTHON_UNKNOWN.
 *
 * The input may be anybody's. Each opcode costs at least a byte of it and a fixed amount of memory, but for
 * those that copy; what goes beyond MAX_MEMORY or MAX_STEPS is given up.
 */
#include "postgres.h"

#include "unpickle.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "values/python_integer.h"

#define MAX_MEMORY ((Size) 256 * 1024 * 1024)
#define MAX_STEPS ((int64) 50 * 1000 * 1000)
#define STEPS_BETWEEN_CHECKS 1024
#define HIGHEST_PROTOCOL 5

/* Python's memo has a place for each index up to the highest; no pickler leaves so many empty. */
#define MEMO_GAP 65536

/* Where the next "count" bytes are. */
bool
unpickle_read(Unpickler *unpickler, uint64 count, const char **bytes)
{
	*bytes = unpickler->at;
	if ((uint64) (unpickler->end - unpickler->at) < count)
		return false;
	unpickler->at += count;
	return true;
}

/* A number of "size" bytes, little-endian. */
bool
unpickle_length(Unpickler *unpickler, int size, uint64 *length)
{
	const char *bytes;

	if (!unpickle_read(unpickler, size, &bytes))
		return false;
	*length = 0;
	for (int i = size - 1; i >= 0; i--)
		*length = *length << 8 | (unsigned char) bytes[i];
	return true;
}

/* A copy of the line without its end; there may be zero bytes in it. */
bool
unpickle_line(Unpickler *unpickler, char **line, int *length)
{
	const char *start = unpickler->at;
	const char *newline = memchr(start, '\n', unpickler->end - start);

	if (newline == NULL)
		return false;
	*length = newline - start;
	*line = palloc(*length + 1);
	memcpy(*line, start, *length);
	(*line)[*length] = '\0';
	unpickler->at = newline + 1;
	return true;
}

static void
push(Unpickler *unpickler, const PythonValue *value)
{
	if (unpickler->size == unpickler->capacity)
	{
		unpickler->capacity *= 2;
		unpickler->stack = repalloc(unpickler->stack, unpickler->capacity * sizeof(PythonValue));
	}
	unpickler->stack[unpickler->size++] = *value;
}

void
unpickle_push(Unpickler *unpickler, const PythonValue *value)
{
	push(unpickler, value);
}

bool
unpickle_pop(Unpickler *unpickler, PythonValue *value)
{
	if (unpickler->size <= unpickler->fence)
		return false;
	*value = unpickler->stack[--unpickler->size];
	return true;
}

static void
drop_mark(Unpickler *unpickler)
{
	unpickler->mark_count--;
	unpickler->fence = unpickler->mark_count > 0 ? unpickler->marks[unpickler->mark_count - 1] : 0;
}

/* Take the last mark off; *start is where the values after it begin. */
bool
unpickle_mark(Unpickler *unpickler, int *start)
{
	if (unpickler->mark_count == 0)
		return false;
	*start = unpickler->marks[unpickler->mark_count - 1];
	drop_mark(unpickler);
	return true;
}

/* Pop a tuple of the values from "start" on. */
bool
unpickle_tuple(Unpickler *unpickler, int start, PythonValue *tuple)
{
	if (start < unpickler->fence)
		return false;
	*tuple = python_container(PYTHON_TUPLE, NULL);
	for (int i = start; i < unpickler->size; i++)
	{
		python_add(tuple->items, &unpickler->stack[i]);
		tuple->items->unhashable |= !python_hashable(&unpickler->stack[i]);
	}
	unpickler->size = start;
	return true;
}

static bool
load_mark(Unpickler *unpickler)
{
	if (unpickler->mark_count == unpickler->mark_capacity)
	{
		unpickler->mark_capacity *= 2;
		unpickler->marks = repalloc(unpickler->marks, unpickler->mark_capacity * sizeof(int));
	}
	unpickler->marks[unpickler->mark_count++] = unpickler->fence = unpickler->size;
	return true;
}

static bool
load_pop(Unpickler *unpickler)
{
	PythonValue ignored;

	if (unpickler->mark_count > 0 && unpickler->marks[unpickler->mark_count - 1] == unpickler->size)
	{
		drop_mark(unpickler);
		return true;
	}
	return unpickle_pop(unpickler, &ignored);
}

static bool
load_pop_mark(Unpickler *unpickler)
{
	return unpickle_mark(unpickler, &unpickler->size);
}

static bool
load_dup(Unpickler *unpickler)
{
	PythonValue value;

	if (!unpickle_pop(unpickler, &value))
		return false;
	push(unpickler, &value);
	push(unpickler, &value);
	return true;
}

static bool
load_none(Unpickler *unpickler)
{
	push(unpickler, &(PythonValue){.type = PYTHON_NONE});
	return true;
}

static bool
load_bool(Unpickler *unpickler, int number)
{
	push(unpickler, &(PythonValue){.type = PYTHON_BOOL, .number = number});
	return true;
}

/* A tuple of the last "count" values, or, for -1, of those after the mark. */
static bool
load_tuple(Unpickler *unpickler, int count)
{
	int start = unpickler->size - count;
	PythonValue tuple;

	if ((count < 0 && !unpickle_mark(unpickler, &start)) ||
		!unpickle_tuple(unpickler, start, &tuple))
		return false;
	push(unpickler, &tuple);
	return true;
}

static bool
memo_get(Unpickler *unpickler, uint64 index)
{
	if (index < (uint64) unpickler->memo_capacity && unpickler->memo[index].type != PYTHON_NOTHING)
	{
		push(unpickler, &unpickler->memo[index]);
		return true;
	}
	if (!unpickler->memo_skipped)
		return false;
	push(unpickler, &(PythonValue){.type = PYTHON_UNKNOWN});
	return true;
}

static bool
memo_put(Unpickler *unpickler, uint64 index)
{
	uint64 limit = (uint64) (unpickler->end - unpickler->start) + MEMO_GAP;

	if (unpickler->size <= unpickler->fence)
		return false;
	if (index >= limit) /* Python may have no memory for it */
	{
		unpickler->memo_skipped = unpickler->guessed = true;
		return true;
	}
	if (index >= (uint64) unpickler->memo_capacity)
	{
		int capacity = Max(unpickler->memo_capacity * 2, (int) index + 1);

		unpickler->memo = repalloc(unpickler->memo, capacity * sizeof(PythonValue));
		memset(unpickler->memo + unpickler->memo_capacity, 0,
			   (capacity - unpickler->memo_capacity) * sizeof(PythonValue));
		unpickler->memo_capacity = capacity;
	}
	if (unpickler->memo[index].type == PYTHON_NOTHING)
		unpickler->memo_used++;
	unpickler->memo[index] = unpickler->stack[unpickler->size - 1];
	return true;
}

static bool
load_get(Unpickler *unpickler, int size)
{
	uint64 index;

	return unpickle_length(unpickler, size, &index) && memo_get(unpickler, index);
}

static bool
load_put(Unpickler *unpickler, int size)
{
	uint64 index;

	return unpickle_length(unpickler, size, &index) && memo_put(unpickler, index);
}

/* The index of a place of the memo, as text. */
static bool
read_index(Unpickler *unpickler, uint64 *index)
{
	char *line;
	int length;
	PythonValue number;

	if (!unpickle_line(unpickler, &line, &length) || length == 0 ||
		!python_integer_read(line, 10, &number) || number.type != PYTHON_INT || number.number < 0)
		return false;
	*index = number.number;
	return true;
}

static bool
load_get_line(Unpickler *unpickler)
{
	uint64 index;

	return read_index(unpickler, &index) && memo_get(unpickler, index);
}

static bool
load_put_line(Unpickler *unpickler)
{
	uint64 index;

	return read_index(unpickler, &index) && memo_put(unpickler, index);
}

static bool
load_memoize(Unpickler *unpickler)
{
	return memo_put(unpickler, unpickler->memo_used);
}

static bool
load_protocol(Unpickler *unpickler)
{
	uint64 protocol;

	if (!unpickle_length(unpickler, 1, &protocol))
		return false;
	unpickler->protocol = (int) protocol;
	return protocol <= HIGHEST_PROTOCOL;
}

/* All of a frame must be there; where it ends does not matter. */
static bool
load_frame(Unpickler *unpickler)
{
	uint64 length;

	return unpickle_length(unpickler, 8, &length) &&
		   length <= (uint64) (unpickler->end - unpickler->at);
}

/*
 * By opcode; Lib/pickle.py has their names. Without one: those that need something from the caller of pickle.loads() or from
 * copyreg.add_extension(), which is not there (P, Q, EXT1, EXT2, EXT4, NEXT_BUFFER), and what is no
 * opcode.
 */
#define WITH(function, argument_)                                                                  \
	{                                                                                              \
		.load_with = function, .argument = argument_                                               \
	}

/* clang-format off */
static const struct
{
	bool (*load)(Unpickler *unpickler);
	bool (*load_with)(Unpickler *unpickler, int argument);
	int argument;
} loaders[256] = {
	['('] = {load_mark}, ['0'] = {load_pop}, ['1'] = {load_pop_mark}, ['2'] = {load_dup},
	['N'] = {load_none}, [0x88] = WITH(load_bool, true), [0x89] = WITH(load_bool, false),
	['K'] = WITH(load_integer, 1), ['M'] = WITH(load_integer, 2), ['J'] = WITH(load_integer, 4),
	[0x8a] = WITH(load_long, 1), [0x8b] = WITH(load_long, 4), ['G'] = {load_float},
	['I'] = {load_integer_line}, ['L'] = {load_long_line}, ['F'] = {load_float_line},
	['U'] = WITH(load_string, 1), ['T'] = WITH(load_string, 4), ['S'] = {load_string_line},
	[0x8c] = WITH(load_unicode, 1), ['X'] = WITH(load_unicode, 4), [0x8d] = WITH(load_unicode, 8),
	['V'] = {load_unicode_line},
	['C'] = WITH(load_bytes, 1), ['B'] = WITH(load_bytes, 4), [0x8e] = WITH(load_bytes, 8),
	[0x96] = WITH(load_bytearray, 8), [0x98] = {load_readonly_buffer},
	[')'] = WITH(load_tuple, 0), [0x85] = WITH(load_tuple, 1), [0x86] = WITH(load_tuple, 2),
	[0x87] = WITH(load_tuple, 3), ['t'] = WITH(load_tuple, -1),
	[']'] = WITH(load_list, false), ['l'] = WITH(load_list, true),
	['a'] = WITH(load_append, false), ['e'] = WITH(load_append, true),
	['}'] = WITH(load_dict, false), ['d'] = WITH(load_dict, true),
	['s'] = WITH(load_setitem, false), ['u'] = WITH(load_setitem, true),
	[0x8f] = {load_set}, [0x90] = {load_additems}, [0x91] = {load_frozenset},
	['h'] = WITH(load_get, 1), ['j'] = WITH(load_get, 4), ['g'] = {load_get_line},
	['q'] = WITH(load_put, 1), ['r'] = WITH(load_put, 4), ['p'] = {load_put_line},
	[0x94] = {load_memoize},
	['c'] = {load_global}, [0x93] = {load_stack_global}, ['i'] = {load_inst}, ['o'] = {load_obj},
	['R'] = {load_reduce}, [0x81] = WITH(load_newobj, false), [0x92] = WITH(load_newobj, true),
	['b'] = {load_build}, [0x80] = {load_protocol}, [0x95] = {load_frame},
};
/* clang-format on */

static bool
load_opcode(Unpickler *unpickler, unsigned char code)
{
	if (loaders[code].load_with != NULL)
		return loaders[code].load_with(unpickler, loaders[code].argument);
	return loaders[code].load != NULL && loaders[code].load(unpickler);
}

/* The value of a pickle; false where Python raises an exception. */
bool
unpickle(Unpickler *unpickler, PythonValue *result)
{
	const char *opcode;

	unpickler->start = unpickler->at;
	unpickler->capacity = unpickler->mark_capacity = unpickler->memo_capacity = 16;
	unpickler->stack = palloc(unpickler->capacity * sizeof(PythonValue));
	unpickler->marks = palloc(unpickler->mark_capacity * sizeof(int));
	unpickler->memo = palloc0(unpickler->memo_capacity * sizeof(PythonValue));
	while (unpickle_read(unpickler, 1, &opcode))
	{
		unsigned char code = *opcode;

		if (code == '.')
			return unpickle_pop(unpickler, result);
		if (!load_opcode(unpickler, code))
			return false;
		if (++unpickler->steps % STEPS_BETWEEN_CHECKS == 0)
			CHECK_FOR_INTERRUPTS();
		if (unpickler->steps > MAX_STEPS ||
			MemoryContextMemAllocated(CurrentMemoryContext, false) > MAX_MEMORY)
		{
			unpickler->gave_up = true;
			return false;
		}
	}
	return false;
}
