/*
 * query.h
 *		Small helpers around SPI: one statement with arguments, and reading its rows.
 */
#ifndef UTIL_QUERY_H
#define UTIL_QUERY_H

#include "postgres.h"

#include "executor/spi.h"
#include "storage/itemptr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define QUERY_MAX_ARGS 24

/* A statement's arguments, collected one by one. */
typedef struct QueryArgs
{
	int count;
	Oid types[QUERY_MAX_ARGS];
	Datum values[QUERY_MAX_ARGS];
	char nulls[QUERY_MAX_ARGS];
} QueryArgs;

/* A plan kept for the life of the backend, made again when its text changes. */
typedef struct KeptPlan
{
	char *sql;
	SPIPlanPtr plan;
} KeptPlan;

extern void arg_null(QueryArgs *args, Oid type);
extern void arg_datum(QueryArgs *args, Oid type, Datum value);
extern void arg_text(QueryArgs *args, const char *value);
extern void arg_int(QueryArgs *args, int32 value);
extern void arg_uuid(QueryArgs *args, const pg_uuid_t *value);
extern void arg_timestamp(QueryArgs *args, TimestampTz value);
extern void arg_array(QueryArgs *args, Oid element, Datum *values, bool *nulls, int count);

extern void query_run(const char *sql, QueryArgs *args, bool read_only, long limit);
extern void query_run_kept(KeptPlan *kept, const char *sql, QueryArgs *args, long limit);

extern bool row_is_null(uint64 row, int column);
extern Size row_size(uint64 row, int column);
extern char *row_text(uint64 row, int column);
extern char *row_required_text(uint64 row, int column);
extern int32 row_int(uint64 row, int column);
extern int64 row_bigint(uint64 row, int column);
extern Oid row_oid(uint64 row, int column);
extern bool row_bool(uint64 row, int column);
extern pg_uuid_t row_uuid(uint64 row, int column);
extern TransactionId row_xid(uint64 row, int column);
extern ItemPointerData row_tid(uint64 row, int column);
extern TimestampTz row_timestamp(uint64 row, int column);
extern Datum row_copy(uint64 row, int column, Oid wanted, MemoryContext context, bool *isnull);

#endif
