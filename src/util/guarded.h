/*
 * guarded.h
 *		Call a function so that its errors do not reach the caller's transaction.
 */
#ifndef UTIL_GUARDED_H
#define UTIL_GUARDED_H

#include "postgres.h"

typedef void (*GuardedCall)(void *arg);

extern ErrorData *guarded_call(GuardedCall function, void *arg);
extern ErrorData *guarded_look(GuardedCall function, void *arg);
extern char *error_text(const ErrorData *error);
extern char *error_sentences(const ErrorData *error);

#endif
