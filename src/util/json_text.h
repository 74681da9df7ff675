/*
 * json_text.h
 *		Is a text JSON that jsonb can hold? Says so without raising an error.
 */
#ifndef UTIL_JSON_TEXT_H
#define UTIL_JSON_TEXT_H

#include "postgres.h"

typedef enum JsonTextState
{
	JSON_TEXT_VALID,
	JSON_TEXT_NUL, /* it has \u0000 */
	JSON_TEXT_INVALID
} JsonTextState;

extern JsonTextState json_text_check(const char *text, int length);

#endif
