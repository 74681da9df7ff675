/*
 * unpickle.h
 *		Load a pickle, as pickle.loads() does, as far as that can be known without Python.
 */
#ifndef VALUES_UNPICKLE_H
#define VALUES_UNPICKLE_H

#include "postgres.h"

#include "values/python_value.h"

typedef struct Unpickler
{
	const char *start;
	const char *at;
	const char *end;
	int protocol;
	PythonValue *stack;
	int size;
	int capacity;
	int fence; /* nothing below is taken from the stack: the last mark */
	int *marks;
	int mark_count;
	int mark_capacity;
	PythonValue *memo;
	int memo_capacity;
	int memo_used;
	bool memo_skipped; /* a value is missing there */
	int nan_count;
	int64 steps;  /* how many items were looked at */
	bool guessed; /* something was done that may as well be an error, or give something else */
	bool gave_up; /* it is too large, or takes too long */
} Unpickler;

extern bool unpickle(Unpickler *unpickler, PythonValue *result);

/* For the opcodes; false: Python raises an exception. */
extern bool unpickle_read(Unpickler *unpickler, uint64 count, const char **bytes);
extern bool unpickle_length(Unpickler *unpickler, int size, uint64 *length);
extern bool unpickle_line(Unpickler *unpickler, char **line, int *length);
extern bool unpickle_pop(Unpickler *unpickler, PythonValue *value);
extern bool unpickle_mark(Unpickler *unpickler, int *start);
extern bool unpickle_tuple(Unpickler *unpickler, int start, PythonValue *tuple);
extern void unpickle_push(Unpickler *unpickler, const PythonValue *value);

/* What follows an opcode and its name: "argument" says which of several. */
extern bool load_integer(Unpickler *unpickler, int size);
extern bool load_integer_line(Unpickler *unpickler);
extern bool load_long(Unpickler *unpickler, int size);
extern bool load_long_line(Unpickler *unpickler);
extern bool load_float(Unpickler *unpickler);
extern bool load_float_line(Unpickler *unpickler);
extern bool load_string(Unpickler *unpickler, int size);
extern bool load_string_line(Unpickler *unpickler);
extern bool load_unicode(Unpickler *unpickler, int size);
extern bool load_unicode_line(Unpickler *unpickler);
extern bool load_bytes(Unpickler *unpickler, int size);
extern bool load_bytearray(Unpickler *unpickler, int size);

extern bool load_list(Unpickler *unpickler, int marked);
extern bool load_dict(Unpickler *unpickler, int marked);
extern bool load_set(Unpickler *unpickler);
extern bool load_frozenset(Unpickler *unpickler);
extern bool load_append(Unpickler *unpickler, int many);
extern bool load_setitem(Unpickler *unpickler, int many);
extern bool load_additems(Unpickler *unpickler);
extern bool load_readonly_buffer(Unpickler *unpickler);

extern bool load_global(Unpickler *unpickler);
extern bool load_stack_global(Unpickler *unpickler);
extern bool load_inst(Unpickler *unpickler);
extern bool load_obj(Unpickler *unpickler);
extern bool load_reduce(Unpickler *unpickler);
extern bool load_newobj(Unpickler *unpickler, int with_keywords);
extern bool load_build(Unpickler *unpickler);

#endif
