/*
 * pin.c
 *		A row of pinned_version, and which of a DAG's rows rules.
 *
 * Pins are read with a table scan of our own and not through SPI: it is done while a run is being
 * inserted, for a role that need not have any right on pinned_version.
 */
#include "pin.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "relation/relation.h"

/* Columns of pinned_version, in the order of the install script. */
enum
{
	COLUMN_DAG_ID = 1,
	COLUMN_VALID_FROM,
	COLUMN_VERSION_NUMBER,
	COLUMN_DAG_VERSION_ID,
	COLUMN_BUNDLE_NAME,
	COLUMN_BUNDLE_VERSION,
	COLUMN_DAG_HASH,
	COLUMN_SOURCE_CODE_HASH,
	COLUMN_ON_MISMATCH,
	COLUMN_RUN_TYPES,
	COLUMN_RERUNS,
	COLUMN_ALLOW_OVERRIDE,
	COLUMN_EXPIRES_AT,
	COLUMN_REASON,
	COLUMN_PINNED_BY,
	COLUMN_PINNED_AT,
	COLUMN_HISTORY_ID,
	COLUMN_SCHEDULE,
	COLUMN_AIRFLOW_REVISION,
	COLUMN_CONTENT_UPDATED_AT
};

static const char *const on_mismatch_names[] = {
	[ON_MISMATCH_REWRITE] = "rewrite",
	[ON_MISMATCH_REJECT] = "reject",
	[ON_MISMATCH_OBSERVE] = "observe",
};

/* DagRunType in airflow/utils/types.py. */
static const struct
{
	const char *name;
	RunType type;
} run_types[] = {
	{"scheduled", RUN_SCHEDULED},
	{"manual", RUN_MANUAL},
	{"backfill", RUN_BACKFILL},
	{"asset_triggered", RUN_ASSET_TRIGGERED},
	{"operator_triggered", RUN_OPERATOR_TRIGGERED},
	{"asset_materialization", RUN_ASSET_MATERIALIZATION},
};

bool
on_mismatch_from_name(const char *name, OnMismatch *on_mismatch)
{
	for (int i = 0; i < (int) lengthof(on_mismatch_names); i++)
	{
		if (strcmp(name, on_mismatch_names[i]) == 0)
		{
			*on_mismatch = (OnMismatch) i;
			return true;
		}
	}
	return false;
}

RunType
run_type_from_name(const char *name, size_t length)
{
	for (int i = 0; i < (int) lengthof(run_types); i++)
		if (strlen(run_types[i].name) == length && memcmp(run_types[i].name, name, length) == 0)
			return run_types[i].type;
	return RUN_UNKNOWN;
}

/* The known run types, for a message. */
const char *
run_type_names(void)
{
	return "scheduled, manual, backfill, asset_triggered, operator_triggered, "
		   "asset_materialization";
}

static char *
column_text(HeapTuple tuple, TupleDesc desc, int column)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static uint8
run_types_mask(HeapTuple tuple, TupleDesc desc)
{
	uint8 mask = 0;
	bool isnull;
	Datum value = heap_getattr(tuple, COLUMN_RUN_TYPES, desc, &isnull);
	Datum *names;
	bool *nulls;
	int count;

	if (isnull)
		return RUN_TYPES_ALL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
					  &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			mask |= run_type_from_name(VARDATA_ANY(DatumGetPointer(names[i])),
									   VARSIZE_ANY_EXHDR(DatumGetPointer(names[i])));
	return mask;
}

/* A column has what the table's constraints forbid: somebody has dropped them. */
static void
raise_unusable(HeapTuple tuple, TupleDesc desc, int column, const char *value)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		 errmsg("column \"%s\" of pinned_version is %s",
				NameStr(TupleDescAttr(desc, column - 1)->attname), value),
		 errdetail("So the pin of DAG \"%s\" cannot be read. The constraint that keeps this from "
				   "happening was dropped.",
				   column_text(tuple, desc, COLUMN_DAG_ID)),
		 errhint("Unpin the DAG, add the constraint again, and pin the DAG.")));
}

static Datum
required_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	if (isnull)
		raise_unusable(tuple, desc, column, "NULL");
	return value;
}

/* Has the DAG the pinned version's schedule, too? Never where the SQL objects are those of 1.0. */
static bool
holds_schedule(HeapTuple tuple, TupleDesc desc)
{
	if (desc->natts < COLUMN_SCHEDULE)
		return false;
	return strcmp(TextDatumGetCString(required_column(tuple, desc, COLUMN_SCHEDULE)), "pinned") ==
		   0;
}

/* The SQL objects of 1.0 have not all of it. */
static void
read_content(PinnedContent *content, HeapTuple tuple, TupleDesc desc)
{
	bool isnull = true;
	Datum updated_at = (Datum) 0;

	content->dag_hash = column_text(tuple, desc, COLUMN_DAG_HASH);
	content->airflow_revision = desc->natts >= COLUMN_AIRFLOW_REVISION
									? column_text(tuple, desc, COLUMN_AIRFLOW_REVISION)
									: NULL;
	if (desc->natts >= COLUMN_CONTENT_UPDATED_AT)
		updated_at = heap_getattr(tuple, COLUMN_CONTENT_UPDATED_AT, desc, &isnull);
	content->updated_at = isnull ? DT_NOBEGIN : DatumGetTimestampTz(updated_at);
}

static void
pin_from_tuple(Pin *pin, HeapTuple tuple, TupleDesc desc)
{
	char *on_mismatch = TextDatumGetCString(required_column(tuple, desc, COLUMN_ON_MISMATCH));
	char *reruns = TextDatumGetCString(required_column(tuple, desc, COLUMN_RERUNS));
	OnMismatch action;
	bool isnull;
	Datum expires_at = heap_getattr(tuple, COLUMN_EXPIRES_AT, desc, &isnull);

	pin->expires_at = isnull ? DT_NOEND : DatumGetTimestampTz(expires_at);
	pin->valid_from = DatumGetTimestampTz(required_column(tuple, desc, COLUMN_VALID_FROM));
	if (pin->valid_from <= DatumGetTimestampTz(required_column(tuple, desc, COLUMN_PINNED_AT)))
		pin->valid_from = DT_NOBEGIN;
	pin->dag_version_id = *DatumGetUUIDP(required_column(tuple, desc, COLUMN_DAG_VERSION_ID));
	pin->version_number = DatumGetInt32(required_column(tuple, desc, COLUMN_VERSION_NUMBER));
	pin->allow_override = DatumGetBool(required_column(tuple, desc, COLUMN_ALLOW_OVERRIDE));
	pin->hold_reruns = strcmp(reruns, "pinned") == 0;
	pin->hold_schedule = holds_schedule(tuple, desc);
	if (!on_mismatch_from_name(on_mismatch, &action))
		raise_unusable(tuple, desc, COLUMN_ON_MISMATCH, psprintf("\"%s\"", on_mismatch));
	pin->on_mismatch = action;
	pin->run_types = run_types_mask(tuple, desc);
	pin->bundle_name = column_text(tuple, desc, COLUMN_BUNDLE_NAME);
	pin->bundle_version = column_text(tuple, desc, COLUMN_BUNDLE_VERSION);
	read_content(&pin->content, tuple, desc);
	pin->source_code_hash = column_text(tuple, desc, COLUMN_SOURCE_CODE_HASH);
}

static PinList *
append_pin(PinList *list, HeapTuple tuple, TupleDesc desc)
{
	int count = list ? list->count : 0;
	Size size = offsetof(PinList, pins) + (count + 1) * sizeof(Pin);

	list = list ? repalloc(list, size) : palloc(size);
	list->count = count + 1;
	pin_from_tuple(&list->pins[count], tuple, desc);
	return list;
}

static Oid
primary_key_index(Relation relation)
{
	list_free(RelationGetIndexList(relation));
	if (!OidIsValid(relation->rd_pkindex))
		elog(ERROR, "table \"%s\" has no primary key", RelationGetRelationName(relation));
	return relation->rd_pkindex;
}

/*
 * All pins of a DAG, or NULL when it has none, in the current memory context.
 *
 * Reads the newest committed state, and what this transaction itself changed, also in a
 * transaction with an older snapshot: what counts is the moment at which the run is inserted.
 */
PinList *
pins_read(const char *dag_id, size_t length)
{
	Relation relation = table_open(pin_relation("pinned_version"), AccessShareLock);
	Relation index = index_open(primary_key_index(relation), AccessShareLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	PinList *list = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, COLUMN_DAG_ID, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(dag_id, length)));
	scan = systable_beginscan_ordered(relation, index, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
		list = append_pin(list, tuple, RelationGetDescr(relation));
	systable_endscan_ordered(scan);

	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return list;
}

static Size
text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* Copy "text" to *place, and move that on. */
static char *
copy_text(char **place, const char *text)
{
	Size size = text_size(text);
	char *copy = text ? memcpy(*place, text, size) : NULL;

	*place += size;
	return copy;
}

/*
 * The same pins in one piece of memory of "context"; NULL for NULL.
 */
PinList *
pins_copy(const PinList *list, MemoryContext context)
{
	Size header;
	Size size;
	PinList *copy;
	char *place;

	if (list == NULL)
		return NULL;
	header = offsetof(PinList, pins) + list->count * sizeof(Pin);
	size = header;
	for (int i = 0; i < list->count; i++)
		size += text_size(list->pins[i].bundle_name) + text_size(list->pins[i].bundle_version) +
				text_size(list->pins[i].content.dag_hash) +
				text_size(list->pins[i].content.airflow_revision) +
				text_size(list->pins[i].source_code_hash);

	copy = MemoryContextAlloc(context, size);
	memcpy(copy, list, header);
	place = (char *) copy + header;
	for (int i = 0; i < list->count; i++)
	{
		Pin *pin = &copy->pins[i];

		pin->bundle_name = copy_text(&place, pin->bundle_name);
		pin->bundle_version = copy_text(&place, pin->bundle_version);
		pin->content.dag_hash = copy_text(&place, pin->content.dag_hash);
		pin->content.airflow_revision = copy_text(&place, pin->content.airflow_revision);
		pin->source_code_hash = copy_text(&place, pin->source_code_hash);
	}
	return copy;
}

/* The pin that rules at a moment, or NULL. */
const Pin *
pins_ruling(const PinList *list, TimestampTz at)
{
	if (list == NULL)
		return NULL;
	for (int i = 0; i < list->count; i++)
		if (list->pins[i].valid_from <= at && at < list->pins[i].expires_at)
			return &list->pins[i];
	return NULL;
}

/* Is one of the pins in force or scheduled, rather than over? */
bool
pins_are_left(const PinList *list, TimestampTz at)
{
	for (int i = 0; i < list->count; i++)
		if (at < list->pins[i].expires_at)
			return true;
	return false;
}

/*
 * The pin, in force or scheduled, that holds a version as it is, or NULL. One that only observes
 * holds nothing.
 */
const Pin *
pins_holding(const PinList *list, const pg_uuid_t *version, TimestampTz at)
{
	for (int i = 0; i < list->count; i++)
		if (at < list->pins[i].expires_at && list->pins[i].on_mismatch != ON_MISMATCH_OBSERVE &&
			memcmp(&list->pins[i].dag_version_id, version, sizeof(pg_uuid_t)) == 0)
			return &list->pins[i];
	return NULL;
}
