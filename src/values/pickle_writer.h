/*
 * pickle_writer.h
 *		Write a pickle: numbers, strings, names of classes, and the frame around it all.
 */
#ifndef VALUES_PICKLE_WRITER_H
#define VALUES_PICKLE_WRITER_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Opcodes, named as in Lib/pickle.py. */
#define OP_MARK '('
#define OP_STOP '.'
#define OP_NONE 'N'
#define OP_NEWTRUE '\x88'
#define OP_NEWFALSE '\x89'
#define OP_BININT 'J'
#define OP_BININT1 'K'
#define OP_BININT2 'M'
#define OP_LONG1 '\x8a'
#define OP_LONG4 '\x8b'
#define OP_BINFLOAT 'G'
#define OP_SHORT_BINUNICODE '\x8c'
#define OP_BINUNICODE 'X'
#define OP_EMPTY_DICT '}'
#define OP_SETITEM 's'
#define OP_SETITEMS 'u'
#define OP_EMPTY_LIST ']'
#define OP_APPEND 'a'
#define OP_APPENDS 'e'
#define OP_EMPTY_TUPLE ')'
#define OP_TUPLE1 '\x85'
#define OP_TUPLE2 '\x86'
#define OP_TUPLE3 '\x87'
#define OP_TUPLE 't'
#define OP_EMPTY_SET '\x8f'
#define OP_ADDITEMS '\x90'
#define OP_STACK_GLOBAL '\x93'
#define OP_REDUCE 'R'
#define OP_MEMOIZE '\x94'

typedef struct Pickler
{
	StringInfoData body;
	const char *unsupported;	  /* the first thing that cannot be written, or NULL */
	JsonbContainer *pod_override; /* the member of that name, or NULL */
} Pickler;

extern void pickle_op(Pickler *pickler, char op);
extern void pickle_unsupported(Pickler *pickler, const char *what);
extern void pickle_string(Pickler *pickler, const char *text, int length);
extern void pickle_int32(Pickler *pickler, int32 number);
extern bool pickle_scalar(Pickler *pickler, const JsonbValue *value);
extern void pickle_global(Pickler *pickler, const char *module, const char *name);
extern void pickle_call(Pickler *pickler, char tuple);
extern bytea *pickle_finish(const Pickler *pickler);

#endif
