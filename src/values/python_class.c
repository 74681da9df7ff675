/*
 * python_class.c
 *		Python's classes that a conf may name.
 *
 * Those of which it is known what step 0055 makes of them: those that JSON has a form for, and of
 * the rest those that values of a DAG are made of.
 */
#include "postgres.h"

#include "python_class.h"

/* The last protocol of Python 2, whose names are translated: Lib/_compat_pickle.py. */
#define LAST_PROTOCOL_OF_PYTHON2 2

/* The first one with names of more than one part: "ZoneInfo._unpickle". */
#define FIRST_PROTOCOL_WITH_DOTS 4

static const PythonClass classes[] = {
	{"builtins", "bool", CLASS_BOOL},
	{"builtins", "bytearray", CLASS_BYTEARRAY},
	{"builtins", "bytes", CLASS_BYTES},
	{"builtins", "complex", CLASS_OBJECT},
	{"builtins", "dict", CLASS_DICT},
	{"builtins", "float", CLASS_FLOAT},
	{"builtins", "frozenset", CLASS_FROZENSET},
	{"builtins", "getattr", CLASS_GETATTR},
	{"builtins", "int", CLASS_INT},
	{"builtins", "list", CLASS_LIST},
	{"builtins", "object", CLASS_OBJECT},
	{"builtins", "range", CLASS_SEQUENCE},
	{"builtins", "set", CLASS_SET},
	{"builtins", "slice", CLASS_OBJECT},
	{"builtins", "str", CLASS_STR},
	{"builtins", "tuple", CLASS_TUPLE},
	{"_codecs", "encode", CLASS_ENCODE},
	{"array", "array", CLASS_SEQUENCE},
	{"array", "_array_reconstructor", CLASS_SEQUENCE},
	{"collections", "ChainMap", CLASS_SEQUENCE},
	{"collections", "Counter", CLASS_COUNTER},
	{"collections", "OrderedDict", CLASS_ORDERED_DICT},
	{"collections", "UserDict", CLASS_SEQUENCE},
	{"collections", "UserList", CLASS_SEQUENCE},
	{"collections", "UserString", CLASS_SEQUENCE},
	{"collections", "defaultdict", CLASS_DEFAULT_DICT},
	{"collections", "deque", CLASS_DEQUE},
	{"datetime", "date", CLASS_OBJECT},
	{"datetime", "datetime", CLASS_OBJECT},
	{"datetime", "time", CLASS_OBJECT},
	{"datetime", "timedelta", CLASS_OBJECT},
	{"datetime", "timezone", CLASS_OBJECT},
	{"decimal", "Decimal", CLASS_OBJECT},
	{"fractions", "Fraction", CLASS_OBJECT},
	{"pathlib", "PosixPath", CLASS_OBJECT},
	{"pathlib", "PurePosixPath", CLASS_OBJECT},
	{"pathlib", "PureWindowsPath", CLASS_OBJECT},
	{"pendulum.date", "Date", CLASS_OBJECT},
	{"pendulum.datetime", "DateTime", CLASS_OBJECT},
	{"pendulum.duration", "Duration", CLASS_OBJECT},
	{"pendulum.interval", "Interval", CLASS_OBJECT},
	{"pendulum.time", "Time", CLASS_OBJECT},
	{"pendulum.tz.timezone", "FixedTimezone", CLASS_OBJECT},
	{"pendulum.tz.timezone", "Timezone", CLASS_OBJECT},
	{"pendulum.tz.timezone", "Timezone._unpickle", CLASS_LOADER},
	{"uuid", "UUID", CLASS_OBJECT},
	{"zoneinfo", "ZoneInfo", CLASS_OBJECT},
	{"zoneinfo", "ZoneInfo._unpickle", CLASS_LOADER},
};

static const struct
{
	const char *python2;
	const char *python3;
} modules[] = {{"__builtin__", "builtins"}, {"copy_reg", "copyreg"}};

/* Those whose name changed, too. */
static const struct
{
	const char *python2;
	const char *python3;
} names[] = {{"unicode", "str"}, {"long", "int"}, {"xrange", "range"}};

static bool
is_named(PythonName name, const char *text)
{
	return name.length == (int) strlen(text) && memcmp(name.text, text, name.length) == 0;
}

static PythonName
to_name(const char *text)
{
	return (PythonName){.text = text, .length = strlen(text)};
}

static bool
has_dot(PythonName name)
{
	return memchr(name.text, '.', name.length) != NULL;
}

/* The class or function of that name, unless it is missing; NULL where it is none of those known here. */
const PythonClass *
python_class_find(PythonName module, PythonName name)
{
	for (int i = 0; is_named(module, modules[0].python2) && i < (int) lengthof(names); i++)
		if (is_named(name, names[i].python2))
			name = to_name(names[i].python3);
	for (int i = 0; i < (int) lengthof(modules); i++)
		if (is_named(module, modules[i].python2))
			module = to_name(modules[i].python3);
	for (int i = 0; i < (int) lengthof(classes); i++)
		if (is_named(module, classes[i].module) && is_named(name, classes[i].name))
			return &classes[i];
	return NULL;
}

/* Is it certain that Python finds nothing of that name? */
bool
python_class_is_missing(PythonName module, PythonName name, int protocol)
{
	if (module.length == 0 || name.length == 0)
		return true;
	if (has_dot(name) && protocol < FIRST_PROTOCOL_WITH_DOTS)
		return true;
	for (int i = 0; protocol > LAST_PROTOCOL_OF_PYTHON2 && i < (int) lengthof(modules); i++)
		if (is_named(module, modules[i].python2))
			return true;
	return false;
}
