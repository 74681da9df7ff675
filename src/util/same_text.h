/*
 * same_text.h
 *		Are two texts the same, of which each may be NULL?
 */
#ifndef UTIL_SAME_TEXT_H
#define UTIL_SAME_TEXT_H

#include "postgres.h"

/* NULL is the same as NULL, and nothing else is. */
static inline bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

#endif
