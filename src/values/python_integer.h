/*
 * python_integer.h
 *		Python's integers, which have no end.
 */
#ifndef VALUES_PYTHON_INTEGER_H
#define VALUES_PYTHON_INTEGER_H

#include "postgres.h"

#include "values/python_value.h"

/* int() and str() refuse more digits: sys.int_info.default_max_str_digits. */
#define MAX_INTEGER_DIGITS 4300

/* Bytes for that many digits and the sign: a byte holds more than two. */
#define MAX_INTEGER_BYTES (MAX_INTEGER_DIGITS / 2 + 2)

extern int encode_long(const char *decimal, unsigned char *bytes);
extern PythonValue python_integer(const char *bytes, int length);
extern PythonValue python_integer_of_float(double number);
extern bool python_integer_read(const char *text, int base, PythonValue *result);
extern bool python_integer_has_text(const PythonValue *value);

#endif
