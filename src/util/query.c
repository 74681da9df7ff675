/*
 * query.c
 *		Small helpers around SPI: one statement with arguments, and reading its rows.
 *
 * All of it is to be called between SPI_connect() and SPI_finish(). Columns count from 1. Values
 * that are read live in the SPI procedure's memory unless said otherwise.
 */
#include "query.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static void
arg_add(QueryArgs *args, Oid type, Datum value, bool isnull)
{
	if (args->count >= QUERY_MAX_ARGS)
		ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS),
						errmsg("a statement has more than %d arguments", QUERY_MAX_ARGS)));
	args->types[args->count] = type;
	args->values[args->count] = value;
	args->nulls[args->count] = isnull ? 'n' : ' ';
	args->count++;
}

void
arg_null(QueryArgs *args, Oid type)
{
	arg_add(args, type, (Datum) 0, true);
}

void
arg_datum(QueryArgs *args, Oid type, Datum value)
{
	arg_add(args, type, value, false);
}

/* NULL pointers become SQL NULL, here and in arg_uuid(). */
void
arg_text(QueryArgs *args, const char *value)
{
	arg_add(args, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
arg_int(QueryArgs *args, int32 value)
{
	arg_add(args, INT4OID, Int32GetDatum(value), false);
}

void
arg_uuid(QueryArgs *args, const pg_uuid_t *value)
{
	arg_add(args, UUIDOID, PointerGetDatum(value), value == NULL);
}

void
arg_timestamp(QueryArgs *args, TimestampTz value)
{
	arg_add(args, TIMESTAMPTZOID, TimestampTzGetDatum(value), false);
}

/* An array of one dimension; "nulls" may be NULL for none. */
void
arg_array(QueryArgs *args, Oid element, Datum *values, bool *nulls, int count)
{
	int dims[] = {count};
	int lower[] = {1};
	int16 length;
	bool byval;
	char align;
	ArrayType *array;

	get_typlenbyvalalign(element, &length, &byval, &align);
	array = construct_md_array(values, nulls, 1, dims, lower, element, length, byval, align);
	arg_datum(args, get_array_type(element), PointerGetDatum(array));
}

static void
check_result(int result, const char *sql)
{
	if (result < 0)
		elog(ERROR, "SPI failed: %s: %s", SPI_result_code_string(result), sql);
}

/*
 * Run one statement; rows are in SPI_tuptable, their number in SPI_processed. Returns nothing:
 * what fails raises its own error.
 */
void
query_run(const char *sql, QueryArgs *args, bool read_only, long limit)
{
	QueryArgs none = {0};

	if (args == NULL)
		args = &none;
	check_result(SPI_execute_with_args(sql, args->count, args->types, args->values, args->nulls,
									   read_only, limit),
				 sql);
}

/*
 * The same with a plan that is kept in "kept", prepared again when the text is another one (the
 * schema or the columns of Airflow's tables changed). The old plan is not freed: it may be running
 * now, in a call further up the stack. Texts change too seldom for that to matter.
 */
void
query_run_kept(KeptPlan *kept, const char *sql, QueryArgs *args, long limit)
{
	if (kept->plan == NULL || strcmp(kept->sql, sql) != 0)
	{
		SPIPlanPtr plan = SPI_prepare(sql, args->count, args->types);

		if (plan == NULL)
			check_result(SPI_result, sql);
		kept->sql = MemoryContextStrdup(TopMemoryContext, sql);
		SPI_keepplan(plan);
		kept->plan = plan;
	}
	check_result(SPI_execute_plan(kept->plan, args->values, args->nulls, false, limit), sql);
}

/* varchar is as good as text. */
static bool
is_type(Oid actual, Oid wanted)
{
	return actual == wanted || (wanted == TEXTOID && actual == VARCHAROID);
}

/*
 * A value of the type that the caller is about to take it for. The tables belong to others: a
 * column that was given another type must not be read as memory of the wrong shape.
 */
static Datum
row_datum(uint64 row, int column, Oid type, bool *isnull)
{
	Assert(row < SPI_processed);
	if (!is_type(SPI_gettypeid(SPI_tuptable->tupdesc, column), type))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" has type %s, not %s",
							   SPI_fname(SPI_tuptable->tupdesc, column),
							   SPI_gettype(SPI_tuptable->tupdesc, column), format_type_be(type))));
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

bool
row_is_null(uint64 row, int column)
{
	bool isnull;

	(void) SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	return isnull;
}

/* Bytes that a value of variable length has when it is read; 0 for NULL. */
Size
row_size(uint64 row, int column)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull || TupleDescAttr(SPI_tuptable->tupdesc, column - 1)->attlen != -1
			   ? 0
			   : toast_raw_datum_size(value);
}

/*
 * Raise an error where there is no value: NOT NULL constraints are their table owner's to drop.
 */
static void
require_value(uint64 row, int column)
{
	if (row_is_null(row, column))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("column \"%s\" is NULL where Airflow always has a value",
							   SPI_fname(SPI_tuptable->tupdesc, column))));
}

/* The value's text form, or NULL. */
char *
row_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* The value's text form; raises an error for NULL, as all that follow but row_timestamp() do. */
char *
row_required_text(uint64 row, int column)
{
	require_value(row, column);
	return row_text(row, column);
}

/* row_datum() of a column that must have a value. */
static Datum
required_datum(uint64 row, int column, Oid type)
{
	bool isnull;

	require_value(row, column);
	return row_datum(row, column, type, &isnull);
}

int32
row_int(uint64 row, int column)
{
	return DatumGetInt32(required_datum(row, column, INT4OID));
}

int64
row_bigint(uint64 row, int column)
{
	return DatumGetInt64(required_datum(row, column, INT8OID));
}

Oid
row_oid(uint64 row, int column)
{
	return DatumGetObjectId(required_datum(row, column, OIDOID));
}

bool
row_bool(uint64 row, int column)
{
	return DatumGetBool(required_datum(row, column, BOOLOID));
}

pg_uuid_t
row_uuid(uint64 row, int column)
{
	return *DatumGetUUIDP(required_datum(row, column, UUIDOID));
}

TransactionId
row_xid(uint64 row, int column)
{
	return DatumGetTransactionId(required_datum(row, column, XIDOID));
}

ItemPointerData
row_tid(uint64 row, int column)
{
	return *(ItemPointer) DatumGetPointer(required_datum(row, column, TIDOID));
}

/* DT_NOBEGIN for NULL: before every real time. */
TimestampTz
row_timestamp(uint64 row, int column)
{
	bool isnull;
	Datum value = row_datum(row, column, TIMESTAMPTZOID, &isnull);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

/* A detoasted copy of the value, which must be of that type (InvalidOid: any), in "context". */
Datum
row_copy(uint64 row, int column, Oid wanted, MemoryContext context, bool *isnull)
{
	Oid type = SPI_gettypeid(SPI_tuptable->tupdesc, column);
	Datum value = row_datum(row, column, wanted == InvalidOid ? type : wanted, isnull);
	MemoryContext saved;
	int16 length;
	bool byval;

	if (*isnull)
		return (Datum) 0;
	get_typlenbyval(type, &length, &byval);
	saved = MemoryContextSwitchTo(context);
	if (length == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	else
		value = datumCopy(value, byval, length);
	MemoryContextSwitchTo(saved);
	return value;
}
