/*
 * result_rows.h
 *		The rows of a set-returning function.
 */
#ifndef UTIL_RESULT_ROWS_H
#define UTIL_RESULT_ROWS_H

#include "postgres.h"

#include "fmgr.h"

#define RESULT_ROW_MAX_COLUMNS 24

/* A row that is filled in column by column; begin with {0}. */
typedef struct ResultRow
{
	int count;
	Datum values[RESULT_ROW_MAX_COLUMNS];
	bool nulls[RESULT_ROW_MAX_COLUMNS];
} ResultRow;

extern void row_put(ResultRow *row, Datum value, bool isnull);
extern void row_put_text(ResultRow *row, const char *text);
extern void result_rows_begin(FunctionCallInfo fcinfo);
extern void result_values_begin(FunctionCallInfo fcinfo);
extern void result_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
extern void result_row_texts(FunctionCallInfo fcinfo, int count, const char *const *texts);

#endif
