/*
 * python_class.h
 *		Python's classes that a conf may name, and what a call of them gives.
 */
#ifndef VALUES_PYTHON_CLASS_H
#define VALUES_PYTHON_CLASS_H

#include "postgres.h"

#include "values/python_value.h"

typedef enum PythonClassKind
{
	CLASS_LIST,
	CLASS_TUPLE,
	CLASS_DICT,
	CLASS_ORDERED_DICT,
	CLASS_DEFAULT_DICT,
	CLASS_COUNTER,
	CLASS_DEQUE, /* 3.3 makes a list of it */
	CLASS_SET,
	CLASS_FROZENSET,
	CLASS_STR,
	CLASS_INT,
	CLASS_FLOAT,
	CLASS_BOOL,
	CLASS_BYTES,
	CLASS_BYTEARRAY,
	CLASS_SEQUENCE, /* PYTHON_SEQUENCE */
	CLASS_OBJECT,	/* PYTHON_OBJECT */
	CLASS_ENCODE,	/* a function, like the two that follow */
	CLASS_GETATTR,
	CLASS_LOADER /* gives a PYTHON_OBJECT */
} PythonClassKind;

struct PythonClass
{
	const char *module;
	const char *name;
	PythonClassKind kind;
};

/* Of a text that is not terminated. */
typedef struct PythonName
{
	const char *text;
	int length;
} PythonName;

extern const PythonClass *python_class_find(PythonName module, PythonName name);
extern bool python_class_is_missing(PythonName module, PythonName name, int protocol);

#endif
