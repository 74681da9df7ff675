/*
 * arguments.h
 *		The arguments of an SQL function.
 */
#ifndef UTIL_ARGUMENTS_H
#define UTIL_ARGUMENTS_H

#include "postgres.h"

#include "fmgr.h"

extern char *text_argument(FunctionCallInfo fcinfo, int number);
extern char *required_text(FunctionCallInfo fcinfo, int number, const char *name);

#endif
