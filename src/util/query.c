/*
 * query.c
 *		Small helpers around SPI: one statement with arguments, and reading its rows.
 *
 * All of it is to be called between SPI_connect() and SPI_finish(). Columns count from 1. Values
 * that are read live in the SPI procedure's memory unless said otherwise.
 */
#include "query.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static void
arg_add(QueryArgs *args, Oid type, Datum value, bool isnull)
{
	Assert(args->count < QUERY_MAX_ARGS);
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
 * schema or the columns of Airflow's tables changed).
 */
void
query_run_kept(KeptPlan *kept, const char *sql, QueryArgs *args, long limit)
{
	if (kept->plan == NULL || strcmp(kept->sql, sql) != 0)
	{
		SPIPlanPtr plan = SPI_prepare(sql, args->count, args->types);
		char *copy;

		if (plan == NULL)
			check_result(SPI_result, sql);
		copy = MemoryContextStrdup(TopMemoryContext, sql);
		if (kept->plan != NULL)
		{
			SPI_freeplan(kept->plan);
			pfree(kept->sql);
		}
		SPI_keepplan(plan);
		kept->plan = plan;
		kept->sql = copy;
	}
	check_result(SPI_execute_plan(kept->plan, args->values, args->nulls, false, limit), sql);
}

static Datum
row_datum(uint64 row, int column, bool *isnull)
{
	Assert(row < SPI_processed);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

bool
row_is_null(uint64 row, int column)
{
	bool isnull;

	(void) row_datum(row, column, &isnull);
	return isnull;
}

/* The value's text form, or NULL. */
char *
row_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

int32
row_int(uint64 row, int column)
{
	bool isnull;
	Datum value = row_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

int64
row_bigint(uint64 row, int column)
{
	bool isnull;
	Datum value = row_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

bool
row_bool(uint64 row, int column)
{
	bool isnull;
	Datum value = row_datum(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

/* A copy of the uuid, or NULL. */
pg_uuid_t *
row_uuid(uint64 row, int column)
{
	bool isnull;
	Datum value = row_datum(row, column, &isnull);
	pg_uuid_t *uuid;

	if (isnull)
		return NULL;
	uuid = palloc(sizeof(*uuid));
	memcpy(uuid, DatumGetUUIDP(value), sizeof(*uuid));
	return uuid;
}

/* DT_NOBEGIN for NULL: before every real time. */
TimestampTz
row_timestamp(uint64 row, int column)
{
	bool isnull;
	Datum value = row_datum(row, column, &isnull);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

/* A detoasted copy of the value in "context". */
Datum
row_copy(uint64 row, int column, MemoryContext context, bool *isnull)
{
	Oid type = SPI_gettypeid(SPI_tuptable->tupdesc, column);
	Datum value = row_datum(row, column, isnull);
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
