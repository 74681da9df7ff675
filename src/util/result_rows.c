/*
 * result_rows.c
 *		The rows of a set-returning function, collected in a tuplestore.
 */
#include "result_rows.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#define MAX_TEXT_COLUMNS 8

/* Start; raises an error where the caller cannot take a set. */
void
result_rows_begin(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
}

/* The same for a set of plain values, which are rows of one column. */
void
result_values_begin(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
}

void
result_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* A row of text columns, NULL for SQL NULL. */
void
result_row_texts(FunctionCallInfo fcinfo, int count, const char *const *texts)
{
	Datum values[MAX_TEXT_COLUMNS];
	bool nulls[MAX_TEXT_COLUMNS];

	Assert(count <= MAX_TEXT_COLUMNS);
	for (int i = 0; i < count; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = texts[i] ? CStringGetTextDatum(texts[i]) : (Datum) 0;
	}
	result_row(fcinfo, values, nulls);
}

void
row_put(ResultRow *row, Datum value, bool isnull)
{
	Assert(row->count < RESULT_ROW_MAX_COLUMNS);
	row->values[row->count] = value;
	row->nulls[row->count++] = isnull;
}

/* NULL for SQL NULL. */
void
row_put_text(ResultRow *row, const char *text)
{
	row_put(row, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}
