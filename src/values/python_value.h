/*
 * python_value.h
 *		Python's values, as far as JSON or the loading of a pickle depends on them.
 */
#ifndef VALUES_PYTHON_VALUE_H
#define VALUES_PYTHON_VALUE_H

#include "postgres.h"

typedef enum PythonType
{
	PYTHON_NOTHING, /* no value: an empty place of the memo */
	PYTHON_NONE,
	PYTHON_BOOL,
	PYTHON_INT,
	PYTHON_LONG, /* an int beyond int64 */
	PYTHON_FLOAT,
	PYTHON_STR,
	PYTHON_BYTES,
	PYTHON_BYTEARRAY,
	PYTHON_LIST,
	PYTHON_TUPLE,
	PYTHON_DICT, /* or a class derived from it */
	PYTHON_SET,
	PYTHON_FROZENSET,
	PYTHON_CLASS,	 /* or a function */
	PYTHON_OBJECT,	 /* of a class that is never JSON */
	PYTHON_SEQUENCE, /* JSON to some: range, UserDict */
	PYTHON_UNKNOWN	 /* whatever it may be */
} PythonType;

typedef struct PythonClass PythonClass;
typedef struct PythonItems PythonItems;

typedef struct PythonValue
{
	PythonType type;
	int length; /* of text, in bytes; of a NaN, which one it is */
	union
	{
		int64 number;	  /* bool, int */
		double real;	  /* float */
		const char *text; /* str: UTF-8, with halves of surrogate pairs. long: two's complement */
		PythonItems *items;
		const PythonClass *class;
	};
} PythonValue;

/* What a list, tuple or dict has in it; of a dict key, value, key, value, as they were set. */
struct PythonItems
{
	PythonValue *values;
	int count;
	int capacity;
	const PythonClass *class; /* NULL: list, tuple or dict itself */
	bool unhashable;		  /* a tuple with something in it that cannot be a key */
	bool judged;			  /* this and what follows is for pickled_conf.c */
	uint8 flags;
	int height;
	uint64 bytes;
};

extern PythonValue python_container(PythonType type, const PythonClass *class);
extern void python_add(PythonItems *items, const PythonValue *value);
extern bool python_hashable(const PythonValue *value);
extern PythonValue python_str(const char *text, int length);

#endif
