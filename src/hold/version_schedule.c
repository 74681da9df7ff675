/*
 * version_schedule.c
 *		The schedule of a DAG version, read once and kept.
 *
 * It is asked for at each write of a held row of "dag", and reading it takes all of the serialized DAG.
 * What is kept is small, and good as long as the content has the hash that it was read with.
 */
#include "hold/version_schedule.h"

#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "dag/serialized_dag.h"
#include "util/copy_text.h"
#include "util/jsonb_member.h"
#include "hold/timetable_text.h"

/* When as many were read, all are forgotten: also those that were replaced. */
#define MAX_READ 1000

#define MAX_HASH 64

typedef struct KeptSchedule
{
	pg_uuid_t version; /* the key */
	char dag_hash[MAX_HASH];
	VersionSchedule kept;
} KeptSchedule;

static MemoryContext context;
static HTAB *kept_schedules;
static int reads;

static void
start_anew(void)
{
	HASHCTL control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(KeptSchedule)};

	kept_schedules = NULL;
	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext, "airflow_pin schedules",
										ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(context);
	reads = 0;
	control.hcxt = context;
	kept_schedules =
		hash_create("airflow_pin schedules", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* sorted(dag.allowed_run_types), or null. */
static char *
run_types_json(const JsonbValue *types)
{
	JsonbContainer *array = types != NULL ? types->val.binary.data : NULL;
	int count = array != NULL && JsonContainerIsArray(array) ? JsonContainerSize(array) : 0;

	return count > 0 ? JsonbToCString(NULL, array, types->val.binary.len) : pstrdup("null");
}

/* Read the version's schedule; what is to be kept goes into "context". */
static void
read_schedule(const AirflowTables *tables, const DagVersion *version, VersionSchedule *kept)
{
	Jsonb *data = serialized_dag_load(tables, &version->id);
	MemoryContext saved = MemoryContextSwitchTo(context);

	memset(kept, 0, sizeof(*kept));
	kept->why = copy_text(schedule_read(data, &kept->schedule));
	if (kept->why == NULL)
	{
		kept->summary = timetable_summary(serialized_dag_body(data), &kept->schedule);
		kept->description = timetable_description(&kept->schedule);
		kept->allowed_run_types = run_types_json(kept->schedule.allowed_run_types);
	}
	kept->schedule.allowed_run_types = NULL; /* was of "data" */
	MemoryContextSwitchTo(saved);
}

/*
 * The schedule of a version whose dag_hash was just read. Call it connected to SPI. Valid until the
 * next call; raises what reading a serialized DAG can raise.
 */
const VersionSchedule *
version_schedule(const AirflowTables *tables, const DagVersion *version)
{
	const char *hash = version->dag_hash ? version->dag_hash : "";
	VersionSchedule read;
	KeptSchedule *entry;
	bool found = false;

	if (kept_schedules != NULL)
	{
		entry = hash_search(kept_schedules, &version->id, HASH_FIND, &found);
		if (found && strcmp(entry->dag_hash, hash) == 0)
			return &entry->kept;
	}
	if (kept_schedules == NULL || reads++ >= MAX_READ)
		start_anew();
	read_schedule(tables, version, &read);
	entry = hash_search(kept_schedules, &version->id, HASH_ENTER, &found);
	entry->kept = read;
	strlcpy(entry->dag_hash, hash, sizeof(entry->dag_hash));
	return &entry->kept;
}
