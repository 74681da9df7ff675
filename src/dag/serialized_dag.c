/*
 * serialized_dag.c
 *		A DAG version's content out of Airflow's serialized_dag.
 *
 * Airflow stores a DAG as JSON in serialized_dag.data (jsonb from 3.2 on, json before), or as
 * zlib-compressed JSON in data_compressed when [core] compress_serialized_dags is on
 * (airflow/models/serialized_dag.py). All three become a Jsonb here.
 */
#include "serialized_dag.h"

#include <zlib.h>

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "dag/dag_text.h"
#include "dag/kept_outlines.h"
#include "util/jsonb_member.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* Jsonb of JSON text, as Airflow's json.loads would understand its numbers. */
static Jsonb *
jsonb_from_text(char *text, DagParts parts)
{
	Jsonb *json;

	text = dag_text_prepare(text, parts == DAG_OUTLINE);
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
			raise_dag_too_large();
		size = Min(size * 2, MAX_JSON_BYTES);
		text = repalloc(text, size + 1);
	}
	text[stream.total_out] = '\0';
	length = stream.total_out;
	inflateEnd(&stream);
	return pg_any_to_server(text, length, PG_UTF8);
}

/* Raise an error unless the text is what a column of type json lets in. */
static void
require_json(char *text)
{
	pfree(DatumGetPointer(DirectFunctionCall1(json_in, CStringGetDatum(text))));
}

/* The value of column "data", or NULL where it has none: SQL NULL, or JSON null beside
 * data_compressed. */
static Jsonb *
decode_data(Datum data, bool isnull, Oid type, DagParts parts)
{
	Jsonb *json;
	JsonbValue scalar;

	if (isnull)
		return NULL;
	if (type != JSONBOID && type != JSONOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"data\" of serialized_dag has type %s, not json or jsonb",
							   format_type_be(type))));
	json =
		type == JSONBOID ? DatumGetJsonbP(data) : jsonb_from_text(TextDatumGetCString(data), parts);
	if (JsonbExtractScalar(&json->root, &scalar) && scalar.type == jbvNull)
		return NULL;
	return json;
}

/*
 * The Jsonb behind one row of serialized_dag. Raises an error for a row without content, for
 * data that does not decompress, is too large, or is JSON that does not parse.
 */
Jsonb *
serialized_dag_decode(const DagColumns *columns, DagParts parts)
{
	Jsonb *json;
	bytea *bytes;
	char *text;

	if ((!columns->data_isnull && toast_raw_datum_size(columns->data) > MAX_JSON_BYTES) ||
		(!columns->compressed_isnull && toast_raw_datum_size(columns->compressed) > MAX_JSON_BYTES))
		raise_dag_too_large();
	json = decode_data(columns->data, columns->data_isnull, columns->data_type, parts);
	if (json != NULL)
		return json;
	if (columns->compressed_isnull)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a serialized DAG has no content"),
						errdetail("Both data and data_compressed are empty.")));
	bytes = DatumGetByteaPP(columns->compressed);
	text = inflate_text(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (parts == DAG_OUTLINE)
		require_json(text);
	return jsonb_from_text(text, parts);
}

/* The content of the row that was found. */
static Jsonb *
decode_found(MemoryContext context, DagParts parts)
{
	DagColumns columns = {.data_type = SPI_gettypeid(SPI_tuptable->tupdesc, 1)};

	if (row_size(0, 1) > MAX_JSON_BYTES || row_size(0, 2) > MAX_JSON_BYTES)
		raise_dag_too_large();
	columns.data = row_copy(0, 1, InvalidOid, context, &columns.data_isnull);
	columns.compressed = row_copy(0, 2, BYTEAOID, context, &columns.compressed_isnull);
	return serialized_dag_decode(&columns, parts);
}

/* Find the version's row, as the owner of serialized_dag. False: there is none. */
static bool
find_row(const AirflowTables *tables, const pg_uuid_t *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	OwnerScope scope;

	arg_uuid(&args, version);
	owner_scope_enter_foreign(&scope, tables->serialized_dag);
	query_run_kept(&plan,
				   psprintf("SELECT data, data_compressed, dag_hash, xmin, ctid"
							" FROM %s.serialized_dag WHERE dag_version_id = $1",
							tables->quoted_schema),
				   &args, 1);
	owner_scope_leave(&scope);
	return SPI_processed > 0;
}

/*
 * All of a DAG version's content, in the caller's memory context; NULL when there is none. Call it
 * connected to SPI, as serialized_dag_outline().
 */
Jsonb *
serialized_dag_load(const AirflowTables *tables, const pg_uuid_t *version)
{
	MemoryContext context = CurrentMemoryContext;

	return find_row(tables, version) ? decode_found(context, DAG_WHOLE) : NULL;
}

/*
 * What plans are made of, and the content's hash, in the caller's memory context ("dag_hash" may be
 * NULL). The outline must be neither changed nor freed, and may be gone when two others were asked for.
 */
Jsonb *
serialized_dag_outline(const AirflowTables *tables, const pg_uuid_t *version, char **dag_hash)
{
	MemoryContext context = CurrentMemoryContext;
	DagRow row = {.table = tables->serialized_dag};
	Jsonb *outline;

	if (!find_row(tables, version))
		return NULL;
	row.hash = MemoryContextStrdup(context, row_required_text(0, 3));
	row.xmin = row_xid(0, 4);
	row.ctid = row_tid(0, 5);
	if (dag_hash != NULL)
		*dag_hash = row.hash;
	outline = kept_outline(&row);
	return outline != NULL ? outline : keep_outline(&row, decode_found(context, DAG_OUTLINE));
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
