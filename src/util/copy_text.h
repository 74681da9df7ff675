/*
 * copy_text.h
 *		A copy of a text that may be NULL.
 */
#ifndef UTIL_COPY_TEXT_H
#define UTIL_COPY_TEXT_H

#include "postgres.h"

/* In the current memory context; NULL of NULL. */
static inline char *
copy_text(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

#endif
