/*
 * result_rows.h
 *		The rows of a set-returning function.
 */
#ifndef RESULT_ROWS_H
#define RESULT_ROWS_H

#include "postgres.h"

#include "fmgr.h"

extern void result_rows_begin(FunctionCallInfo fcinfo);
extern void result_values_begin(FunctionCallInfo fcinfo);
extern void result_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
extern void result_row_texts(FunctionCallInfo fcinfo, int count, const char *const *texts);

#endif
