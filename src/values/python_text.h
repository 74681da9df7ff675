/*
 * python_text.h
 *		Python's texts in the bytes of a pickle: escapes, UTF-8 with halves of surrogate pairs.
 */
#ifndef VALUES_PYTHON_TEXT_H
#define VALUES_PYTHON_TEXT_H

#include "postgres.h"

#include "lib/stringinfo.h"

extern bool python_utf8_is_valid(const char *text, int length, bool surrogates);
extern bool python_is_ascii(const char *text, int length);
extern bool python_utf8_is_latin1(const char *text, int length);
extern bool python_read_raw_unicode(const char *text, int length, StringInfo result);
extern bool python_read_escaped(const char *text, int length, StringInfo result);
extern bool python_has_lone_surrogate(const char *text, int length);
extern bool python_read_float(const char *text, double *result);

#endif
