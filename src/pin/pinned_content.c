/*
 * pinned_content.c
 *		Is a pinned version still what it was when it was pinned?
 *
 * One that has another hash is not, but for what Airflow's own migration did: 0101 (3.1 to 3.2) takes
 * the deadline alerts out of every serialized DAG that has some, leaves their ids in their place, and
 * computes the hash anew. Where our triggers see it, the pins follow at once (follow_migration.c).
 * Where they do not, because the tables were migrated on another server, or detached, or while pins
 * were switched off, it is told by what is there: the pin knows which revision it was made under, and
 * when Airflow had last written the content.
 */
#include "pinned_content.h"

#include "airflow/known_revisions.h"
#include "airflow/revision.h"
#include "dag/serialized_dag.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* 0101_3_2_0_ui_improvements_for_deadlines.py */
#define DEADLINES_REVISION "55297ae24532"

/* Reading what is there now, for guarded_call(). */
typedef struct ContentNow
{
	const AirflowTables *tables;
	const pg_uuid_t *version;
	char *revision;
	TimestampTz updated_at;
	JsonbValue *deadline;
} ContentNow;

/* GuardedCall */
static void
read_revision(void *arg)
{
	ContentNow *now = arg;
	List *revisions = NIL;

	if (revisions_exist(now->tables->schema, CORE_VERSION_TABLE))
		revisions = read_revisions(now->tables->schema, CORE_VERSION_TABLE);
	if (list_length(revisions) == 1)
		now->revision = linitial(revisions);
}

/* GuardedCall: when Airflow has last written the content. A parse always sets it, a migration does not. */
static void
read_updated_at(void *arg)
{
	ContentNow *now = arg;
	QueryArgs args = {0};
	OwnerScope scope;

	arg_uuid(&args, now->version);
	owner_scope_enter_foreign(&scope, now->tables->serialized_dag);
	query_run(psprintf("SELECT last_updated FROM %s.serialized_dag WHERE dag_version_id = $1",
					   now->tables->quoted_schema),
			  &args, true, 1);
	owner_scope_leave(&scope);
	if (SPI_processed > 0)
		now->updated_at = row_timestamp(0, 1);
}

/* GuardedCall: the deadline alerts of the content, or what is in their place. */
static void
read_deadline(void *arg)
{
	ContentNow *now = arg;
	Jsonb *data = serialized_dag_outline(now->tables, now->version, NULL);

	now->deadline = data ? json_member(json_child(&data->root, "dag"), "deadline") : NULL;
}

/*
 * What is to be kept of the content of a version that is being pinned; what cannot be read stays
 * unknown. Call it connected to SPI.
 */
void
pinned_content_read(const AirflowTables *tables, const DagVersion *version, PinnedContent *content)
{
	ContentNow now = {.tables = tables, .version = &version->id, .updated_at = DT_NOBEGIN};

	(void) guarded_call(read_revision, &now);
	(void) guarded_call(read_updated_at, &now);
	content->dag_hash = version->dag_hash;
	content->airflow_revision = now.revision;
	content->updated_at = now.updated_at;
}

/* Is that a list of ids, as 0101 leaves one, rather than of alerts? */
static bool
is_list_of_ids(const JsonbValue *deadline)
{
	JsonbContainer *list =
		deadline != NULL && deadline->type == jbvBinary ? deadline->val.binary.data : NULL;

	if (list == NULL || !JsonContainerIsArray(list) || JsonContainerSize(list) == 0)
		return false;
	for (uint32 i = 0; i < JsonContainerSize(list); i++)
	{
		JsonbValue *id = getIthJsonbValueFromContainer(list, i);

		if (id->type != jbvString || id->val.string.len != 36)
			return false;
	}
	return true;
}

/* Did the migration come between the two revisions, one way or the other? */
static bool
has_crossed(const char *from, const char *to)
{
	if (core_revision_before(from, DEADLINES_REVISION))
		return strcmp(to, DEADLINES_REVISION) == 0 || core_revision_before(DEADLINES_REVISION, to);
	return core_revision_is_known(from) && core_revision_before(to, DEADLINES_REVISION);
}

/*
 * Is the content what the migration has made of what was pinned? Airflow has not written it since, and
 * it has deadline alerts in the form that they have on this side of the migration.
 */
static bool
was_migrated(const AirflowTables *tables, const PinnedContent *content, const pg_uuid_t *version)
{
	ContentNow now = {.tables = tables, .version = version, .updated_at = DT_NOBEGIN};

	if (content->airflow_revision == NULL || content->updated_at == DT_NOBEGIN)
		return false;
	if (guarded_call(read_revision, &now) != NULL || now.revision == NULL ||
		!has_crossed(content->airflow_revision, now.revision))
		return false;
	if (guarded_call(read_updated_at, &now) != NULL || now.updated_at != content->updated_at)
		return false;
	if (guarded_call(read_deadline, &now) != NULL || now.deadline == NULL ||
		now.deadline->type == jbvNull)
		return false;
	return is_list_of_ids(now.deadline) != core_revision_before(now.revision, DEADLINES_REVISION);
}

/*
 * Is the version, as it is now, no longer what was pinned? Only writing over it in place does that.
 * Call it connected to SPI.
 */
bool
pinned_content_changed(const AirflowTables *tables, const PinnedContent *content,
					   const DagVersion *now)
{
	if (content->dag_hash == NULL || now->dag_hash == NULL ||
		strcmp(content->dag_hash, now->dag_hash) == 0)
		return false;
	return !was_migrated(tables, content, &now->id);
}
