/*
 * serialized_dag.c
 *		A DAG version's content out of Airflow's serialized_dag.
 *
 * Airflow stores a DAG as JSON in serialized_dag.data (jsonb from 3.2 on, json before), or as
 * zlib-compressed JSON in data_compressed when [core] compress_serialized_dags is on
 * (airflow/models/serialized_dag.py). All three become a Jsonb here.
 */
#include "serialized_dag.h"

#include <float.h>
#include <zlib.h>

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "util/owner_scope.h"
#include "util/query.h"

/*
 * Tens of thousands of tasks. They bound what is read, inflated and parsed; a value takes some
 * hundred bytes while it is parsed, however short it is.
 */
#define MAX_JSON_BYTES (64 * 1024 * 1024)
#define MAX_JSON_VALUES (1024 * 1024)

static void
raise_too_large(void)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("a serialized DAG is larger than %d bytes", MAX_JSON_BYTES),
					errdetail("Larger ones are not read, to save the server's memory."),
					errhint(HINT_TOO_LARGE)));
}

static void
raise_too_many_values(void)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("a serialized DAG has more than %d values", MAX_JSON_VALUES),
					errdetail("Larger ones are not read, to save the server's memory."),
					errhint(HINT_TOO_LARGE)));
}

/*
 * Python makes a float of 1e+300 and an integer of its 301 digits, but jsonb writes both as digits.
 * Append such a number so that it keeps a fraction, and with it its type; and keep the sign of
 * a float that is zero, which jsonb has not.
 */
static void
append_float(StringInfo out, const char *token, int length)
{
	char *number = pnstrdup(token, length);
	const char *exponent = strpbrk(number, "eE");
	long power = exponent ? strtol(exponent + 1, NULL, 10) : 0;

	if (power > 0 && power <= DBL_MAX_10_EXP)
	{
		Datum value = DirectFunctionCall3(numeric_in, CStringGetDatum(number),
										  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

		pfree(number);
		number = DatumGetCString(DirectFunctionCall1(numeric_out, value));
		pfree(DatumGetPointer(value));
		if (out->len > 2 * MAX_JSON_BYTES) /* 1e308 becomes 311 bytes */
			raise_too_large();
		appendStringInfo(out, strchr(number, '.') ? "%s" : "%s.0", number);
	}
	else if (strcmp(number, "-0.0") == 0)
		appendStringInfoString(out, "-1e-400"); /* no numeric, but -0.0 as a double */
	else
		appendStringInfoString(out, number);
	pfree(number);
}

/* Does append_float() write another number than is there? */
static bool
is_float_to_mark(const char *token, int length)
{
	return memchr(token, 'e', length) != NULL || memchr(token, 'E', length) != NULL ||
		   (length == 4 && memcmp(token, "-0.0", 4) == 0);
}

/*
 * The JSON text with every float written as one, for jsonb_in(): another text, or the same where
 * there is nothing to do. Raises an error for one of too many values.
 */
static char *
mark_floats(char *text)
{
	StringInfoData out;
	const char *copied = text; /* what comes before is in "out" */
	bool in_string = false;
	int values = 0;

	initStringInfo(&out);
	for (const char *at = text; *at != '\0'; at++)
	{
		if (*at == '"')
			in_string = !in_string;
		else if (in_string)
		{
			if (*at == '\\' && at[1] != '\0')
				at++;
		}
		else if (*at == ',' || *at == '[' || *at == '{')
		{
			if (++values > MAX_JSON_VALUES)
				raise_too_many_values();
		}
		else if (*at == '-' || (*at >= '0' && *at <= '9'))
		{
			size_t length = strspn(at, "-+.0123456789eE");

			if (is_float_to_mark(at, length))
			{
				appendBinaryStringInfo(&out, copied, at - copied);
				append_float(&out, at, length);
				copied = at + length;
			}
			at += length - 1;
		}
	}
	if (copied == text)
		return text;
	appendStringInfoString(&out, copied);
	pfree(text);
	return out.data;
}

/* Jsonb of JSON text, as Airflow's json.loads would understand its numbers. */
static Jsonb *
jsonb_from_text(char *text)
{
	Jsonb *json;

	text = mark_floats(text);
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	pfree(text);
	return json;
}

/* zlib's memory is ours, so that an error or a cancel in between leaks nothing. */
static voidpf
inflate_alloc(voidpf opaque pg_attribute_unused(), uInt items, uInt size)
{
	return palloc_extended((Size) items * size, MCXT_ALLOC_NO_OOM);
}

static void
inflate_free(voidpf opaque pg_attribute_unused(), voidpf address)
{
	pfree(address);
}

static void
check_inflate(z_stream *stream, int result)
{
	if (result != Z_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("could not decompress a serialized DAG"),
				 errdetail("zlib reports: %s.", stream->msg ? stream->msg : zError(result))));
}

/*
 * Inflate zlib data into a NUL-terminated string of at most MAX_JSON_BYTES.
 */
static char *
inflate_text(const char *compressed, size_t length)
{
	z_stream stream = {.zalloc = inflate_alloc, .zfree = inflate_free};
	size_t size = Min(Max(length * 4, 8192), MAX_JSON_BYTES);
	char *text = palloc(size + 1);
	int result;

	stream.next_in = (Bytef *) compressed;
	stream.avail_in = length;
	check_inflate(&stream, inflateInit(&stream));

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		stream.next_out = (Bytef *) text + stream.total_out;
		stream.avail_out = size - stream.total_out;
		result = inflate(&stream, Z_NO_FLUSH);
		if (result == Z_STREAM_END)
			break;
		check_inflate(&stream, result);
		if (stream.avail_out > 0)
			check_inflate(&stream, Z_BUF_ERROR); /* the input ends too early */
		if (size >= MAX_JSON_BYTES)
			raise_too_large();
		size = Min(size * 2, MAX_JSON_BYTES);
		text = repalloc(text, size + 1);
	}
	text[stream.total_out] = '\0';
	length = stream.total_out;
	inflateEnd(&stream);
	return pg_any_to_server(text, length, PG_UTF8);
}

/* The value of column "data", or NULL where it has none: SQL NULL, or JSON null beside
 * data_compressed. */
static Jsonb *
decode_data(Datum data, bool isnull, Oid type)
{
	Jsonb *json;
	JsonbValue scalar;

	if (isnull)
		return NULL;
	if (type != JSONBOID && type != JSONOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"data\" of serialized_dag has type %s, not json or jsonb",
							   format_type_be(type))));
	json = type == JSONBOID ? DatumGetJsonbP(data) : jsonb_from_text(TextDatumGetCString(data));
	if (JsonbExtractScalar(&json->root, &scalar) && scalar.type == jbvNull)
		return NULL;
	return json;
}

/*
 * The Jsonb behind one row of serialized_dag. Raises an error for a row without content, for
 * data that does not decompress, is too large, or is JSON that does not parse.
 */
Jsonb *
serialized_dag_decode(Datum data, bool data_isnull, Oid data_type, Datum compressed,
					  bool compressed_isnull)
{
	Jsonb *json;
	bytea *bytes;

	if ((!data_isnull && toast_raw_datum_size(data) > MAX_JSON_BYTES) ||
		(!compressed_isnull && toast_raw_datum_size(compressed) > MAX_JSON_BYTES))
		raise_too_large();
	json = decode_data(data, data_isnull, data_type);
	if (json != NULL)
		return json;
	if (compressed_isnull)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a serialized DAG has no content"),
						errdetail("Both data and data_compressed are empty.")));
	bytes = DatumGetByteaPP(compressed);
	return jsonb_from_text(inflate_text(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

/*
 * Content and hash of a DAG version, in the caller's memory context, read as the owner of
 * serialized_dag; NULL when there is none. Call it connected to SPI.
 */
Jsonb *
serialized_dag_load(const AirflowTables *tables, const pg_uuid_t *version, char **dag_hash)
{
	static KeptPlan plan;
	MemoryContext context = CurrentMemoryContext;
	QueryArgs args = {0};
	OwnerScope scope;
	Datum data;
	Datum compressed;
	bool data_isnull;
	bool compressed_isnull;

	arg_uuid(&args, version);
	owner_scope_enter_foreign(&scope, tables->serialized_dag);
	query_run_kept(&plan,
				   psprintf("SELECT data, data_compressed, dag_hash FROM %s.serialized_dag"
							" WHERE dag_version_id = $1",
							tables->quoted_schema),
				   &args, 1);
	owner_scope_leave(&scope);
	if (SPI_processed == 0)
		return NULL;

	if (row_size(0, 1) > MAX_JSON_BYTES || row_size(0, 2) > MAX_JSON_BYTES)
		raise_too_large();
	data = row_copy(0, 1, InvalidOid, context, &data_isnull);
	compressed = row_copy(0, 2, BYTEAOID, context, &compressed_isnull);
	if (dag_hash != NULL)
		*dag_hash = MemoryContextStrdup(context, row_required_text(0, 3));
	return serialized_dag_decode(data, data_isnull, SPI_gettypeid(SPI_tuptable->tupdesc, 1),
								 compressed, compressed_isnull);
}

/*
 * The serializer version. Raises an error for one that is not known, so that a format of the future
 * is refused and never guessed.
 */
int
serialized_dag_version(Jsonb *data)
{
	JsonbValue *version = json_member(&data->root, "__version");
	char *text = version ? json_string(version) : NULL;
	long number = text ? strtol(text, NULL, 10) : 0;

	if (number < SERIALIZER_VERSION_MIN || number > SERIALIZER_VERSION_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("serialized DAG has serializer version %s, which is not supported",
						text ? text : "NULL"),
				 errdetail("Supported are versions %d to %d.", SERIALIZER_VERSION_MIN,
						   SERIALIZER_VERSION_MAX),
				 errhint("Upgrade airflow_pin to a release that knows this Airflow version.")));
	return number;
}

/* The "dag" object of a serialized DAG whose serializer version is known. */
JsonbContainer *
serialized_dag_body(Jsonb *data)
{
	JsonbContainer *body = json_child(&data->root, "dag");

	(void) serialized_dag_version(data);
	if (body == NULL || !JsonContainerIsObject(body))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("serialized DAG has no \"dag\"")));
	return body;
}

/* Member of an object, or NULL when there is none or "object" is not an object. */
JsonbValue *
json_member(JsonbContainer *object, const char *key)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, key, strlen(key), NULL);
}

/* Member that is itself an object or array, or NULL. */
JsonbContainer *
json_child(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_member(object, key);

	return value != NULL && value->type == jbvBinary ? value->val.binary.data : NULL;
}

/* Text of a string or number; NULL for everything else. */
char *
json_string(const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type == jbvNumeric)
		return DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	return NULL;
}

bool
json_string_is(const JsonbValue *value, const char *expected)
{
	return value != NULL && value->type == jbvString &&
		   value->val.string.len == (int) strlen(expected) &&
		   memcmp(value->val.string.val, expected, value->val.string.len) == 0;
}
