/*
 * polling.h
 *		Procedures that wait, and end a transaction at each look.
 */
#ifndef UTIL_POLLING_H
#define UTIL_POLLING_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

extern int64 polling_argument(FunctionCallInfo fcinfo, int argument, const char *name, int64 least);
extern void require_no_transaction_block(FunctionCallInfo fcinfo, const char *procedure,
										 const char *alone);
extern void wait_until(TimestampTz until);

#endif
