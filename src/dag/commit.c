/*
 * commit.c
 *		Which commit a version of a DAG has, and on which evidence.
 *
 * A version is a serialized DAG; the commit says which code its tasks run. Airflow writes the two
 * apart: each parse moves dag.bundle_version on, and with it the commit of new runs, but write_dag
 * (airflow/models/serialized_dag.py) returns at once where the DAG was written less than [core]
 * min_serialized_dag_update_interval ago. Until the next parse after that nobody has looked whether
 * the commit changed the DAG, and Airflow's runs are of the old version at the new commit. So neither
 * dag nor a run is proof that a version was parsed at a commit. What is:
 *
 * - dag_version.bundle_version. From 3.3 on it follows the latest version's newest parse, and nothing
 *   else is needed. Before, it is the commit at which the version was first seen.
 * - Before 3.3, dag.bundle_version for the latest version, where dag.last_parsed_time is later than
 *   the newest write of the DAG and the interval: that parse has looked, and has found no change.
 * - Before 3.3, a run of an older version whose commit came when the interval was over: there was a
 *   run with another commit after the interval, and before it. It must be older than the next
 *   version, too, by the interval (clocks differ), because Airflow reads version and commit one after
 *   the other.
 *
 * Where that leaves a doubt, the version's own commit is taken. A run that was cleared is no witness:
 * Airflow 3.0 moves it to the commit of today.
 *
 * All functions run SQL as the owner of Airflow's tables and are to be called connected to SPI; what
 * they return lives until SPI_finish().
 */
#include "commit.h"

#include "catalog/pg_type.h"

#include "dag/serialized_dag.h"
#include "settings.h"
#include "util/guarded.h"
#include "util/jsonb_member.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/same_text.h"

/* In SQL, where $2 is airflow_pin.min_serialized_dag_update_interval in seconds. */
#define UPDATE_INTERVAL "$2 * interval '1 second'"

static void
run_as_airflow(const AirflowTables *tables, KeptPlan *plan, const char *sql, QueryArgs *args)
{
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, tables->dag_version);
	query_run_kept(plan, sql, args, 1);
	owner_scope_leave(&scope);
}

/* Does dag_version alone tell which commit the latest version was parsed at? */
static bool
rows_follow(const AirflowTables *tables)
{
	return tables->minor >= AIRFLOW_3_3;
}

/* Reading a DAG's flag, for guarded_call(). */
typedef struct VersioningFlag
{
	const AirflowTables *tables;
	const DagVersion *version;
	bool disabled;
} VersioningFlag;

static void
read_versioning_flag(void *arg)
{
	VersioningFlag *call = arg;
	Jsonb *data = serialized_dag_outline(call->tables, &call->version->id, NULL);
	JsonbValue *flag = NULL;

	if (data != NULL)
		flag = json_member(json_child(&data->root, "dag"), "disable_bundle_versioning");
	call->disabled = flag != NULL && flag->type == jbvBool && flag->val.boolean;
}

/* Does the DAG opt out of bundle versions? Content that cannot be read does not say so. */
static bool
bundle_versioning_disabled(const AirflowTables *tables, const DagVersion *version)
{
	VersioningFlag call = {.tables = tables, .version = version};

	return guarded_call(read_versioning_flag, &call) == NULL && call.disabled;
}

/*
 * The commit that Airflow gives a new run of the latest version now, right or not; NULL for a DAG that
 * is not versioned: _create_orm_dagrun (airflow/serialization/definitions/dag.py).
 */
char *
new_run_commit(const AirflowTables *tables, const char *dag_id, const DagVersion *latest)
{
	DagSource source;

	if (!dag_source(tables, dag_id, &source) || source.bundle_version == NULL)
		return NULL;
	return bundle_versioning_disabled(tables, latest) ? NULL : source.bundle_version;
}

/*
 * In SQL, before 3.3: has the parse that moved dag d to its commit looked whether the DAG has changed?
 */
static char *
parse_has_looked(const AirflowTables *tables)
{
	return psprintf("coalesce(d.last_parsed_time > (SELECT max(w.last_updated)"
					" FROM %s.serialized_dag w WHERE w.dag_id = d.dag_id) + " UPDATE_INTERVAL
					", false)",
					tables->quoted_schema);
}

/*
 * The newest version that fulfils a condition, with the evidence of its row and its DAG's, in one
 * snapshot: two statements could be of different commits. Sets *parsed to whether Airflow has
 * looked at dag.bundle_version, which is said before 3.3 only. In "condition", v is the version, l
 * the latest, %1$s stands for what *parsed tells. $1 and $2 are given.
 */
static bool
find_with_evidence(const AirflowTables *tables, KeptPlan *plan, const char *condition,
				   QueryArgs *args, VersionCommit *found, bool *parsed)
{
	const char *schema = tables->quoted_schema;
	const char *order = version_order(tables);
	/* $2 is never NULL, and has to be there */
	char *looked = rows_follow(tables) ? pstrdup("$2 IS NULL") : parse_has_looked(tables);
	char *sql;

	sql = psprintf("SELECT v.id, v.version_number, v.bundle_name, v.bundle_version, s.dag_hash,"
				   " c.source_code_hash, v.id = l.id, d.bundle_version, %2$s"
				   " FROM %1$s.dag d CROSS JOIN LATERAL (SELECT v.id FROM %1$s.dag_version v"
				   " WHERE v.dag_id = d.dag_id ORDER BY v.%3$s DESC LIMIT 1) l"
				   " JOIN %1$s.dag_version v ON v.dag_id = d.dag_id"
				   " LEFT JOIN %1$s.serialized_dag s ON s.dag_version_id = v.id"
				   " LEFT JOIN %1$s.dag_code c ON c.dag_version_id = v.id"
				   " WHERE d.dag_id = $1 AND (%4$s) ORDER BY v.%3$s DESC LIMIT 1",
				   schema, looked, order, psprintf(condition, looked));
	run_as_airflow(tables, plan, sql, args);
	if (SPI_processed == 0)
		return false;
	found->version = (DagVersion){.id = row_uuid(0, 1),
								  .number = row_int(0, 2),
								  .bundle_name = row_text(0, 3),
								  .bundle_version = row_text(0, 4),
								  .dag_hash = row_text(0, 5),
								  .source_code_hash = row_text(0, 6)};
	found->is_latest = row_bool(0, 7);
	found->in_dag = row_text(0, 8);
	*parsed = row_bool(0, 9);
	return true;
}

/* The first arguments of every statement here. */
static void
add_common_args(QueryArgs *args, const char *dag_id)
{
	arg_text(args, dag_id);
	arg_int(args, airflow_pin_min_serialized_dag_update_interval);
}

/* The commit of the version's newest run, or NULL. */
static char *
newest_run_commit(const AirflowTables *tables, const char *dag_id, const DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	arg_uuid(&args, &version->id);
	run_as_airflow(tables, &plan,
				   psprintf("SELECT bundle_version FROM %s.dag_run WHERE dag_id = $1"
							" AND created_dag_version_id = $2 AND bundle_version IS NOT NULL"
							" AND clear_number = 0 ORDER BY id DESC LIMIT 1",
							tables->quoted_schema),
				   &args);
	return SPI_processed > 0 ? row_text(0, 1) : NULL;
}

/*
 * The newest commit of an older version's runs that came when the interval after its last write was
 * over, and well before the next version did; NULL: none is known to be. "first" is the first run
 * after the interval, "other" the first with another commit than that one: whatever is later than a
 * run with another commit came after it.
 */
static char *
settled_run_commit(const AirflowTables *tables, const char *dag_id, const DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	add_common_args(&args, dag_id);
	arg_uuid(&args, &version->id);
	run_as_airflow(
		tables, &plan,
		psprintf("WITH run AS MATERIALIZED (SELECT r.id, r.queued_at, r.bundle_version"
				 " FROM %1$s.dag_version v JOIN %1$s.serialized_dag s ON s.dag_version_id = v.id"
				 " JOIN %1$s.dag_version n ON n.dag_id = v.dag_id"
				 " AND n.version_number = v.version_number + 1"
				 " JOIN %1$s.dag_run r ON r.dag_id = v.dag_id AND r.created_dag_version_id = v.id"
				 " WHERE v.dag_id = $1 AND v.id = $3 AND r.clear_number = 0"
				 " AND r.bundle_version IS NOT NULL"
				 " AND r.queued_at > s.last_updated + " UPDATE_INTERVAL
				 " AND r.queued_at < n.created_at - " UPDATE_INTERVAL "),"
				 " first AS (SELECT * FROM run ORDER BY queued_at LIMIT 1),"
				 " other AS (SELECT run.* FROM run, first"
				 " WHERE run.bundle_version <> first.bundle_version ORDER BY run.queued_at LIMIT 1)"
				 " SELECT run.bundle_version FROM run CROSS JOIN first CROSS JOIN other"
				 " WHERE run.queued_at > CASE WHEN run.bundle_version = first.bundle_version"
				 " THEN other.queued_at ELSE first.queued_at END"
				 " AND NOT EXISTS (SELECT FROM %1$s.dag_version l WHERE l.dag_id = $1"
				 " AND l.version_number > (SELECT v.version_number FROM %1$s.dag_version v"
				 " WHERE v.id = $3) AND l.bundle_version = run.bundle_version)"
				 " ORDER BY run.id DESC LIMIT 1",
				 tables->quoted_schema),
		&args);
	return SPI_processed > 0 ? row_text(0, 1) : NULL;
}

/* The commit of the latest version; see above. */
static void
decide_latest(const AirflowTables *tables, bool parsed, VersionCommit *found)
{
	if (found->in_dag == NULL)
		return;
	found->commit = parsed && !rows_follow(tables) ? found->in_dag : found->version.bundle_version;
	if (!same_text(found->commit, found->in_dag))
		found->seen = found->in_dag;
}

/* The commit of an older version; see above. */
static void
decide_older(const AirflowTables *tables, const char *dag_id, VersionCommit *found)
{
	const DagVersion *version = &found->version;
	char *of_run = newest_run_commit(tables, dag_id, version);
	char *settled = NULL;

	found->commit = version->bundle_version;
	if (of_run == NULL || same_text(of_run, found->commit))
		return;
	if (!rows_follow(tables))
		settled = settled_run_commit(tables, dag_id, version);
	if (settled != NULL)
		found->commit = settled;
	if (!same_text(of_run, found->commit))
		found->seen = of_run;
}

/*
 * Does Airflow update the source code of the latest version after it has looked whether the DAG has
 * changed? From 3.3 on a parse that has looked changes the version's row first, which is not asked
 * about here.
 */
bool
source_is_of_parse(const AirflowTables *tables, const char *dag_id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	if (rows_follow(tables))
		return false;
	add_common_args(&args, dag_id);
	run_as_airflow(tables, &plan,
				   psprintf("SELECT FROM %1$s.dag d WHERE d.dag_id = $1 AND %2$s",
							tables->quoted_schema, parse_has_looked(tables)),
				   &args);
	return SPI_processed > 0;
}

static bool
find_commit(const AirflowTables *tables, KeptPlan *plan, const char *condition, const char *dag_id,
			QueryArgs *args, VersionCommit *found)
{
	bool parsed;

	memset(found, 0, sizeof(*found));
	if (!find_with_evidence(tables, plan, condition, args, found, &parsed))
		return false;
	if (bundle_versioning_disabled(tables, &found->version))
		return true;
	if (found->is_latest)
		decide_latest(tables, parsed, found);
	else
		decide_older(tables, dag_id, found);
	return true;
}

/* The latest version, and its commit. False: the DAG has none. */
bool
latest_commit(const AirflowTables *tables, const char *dag_id, VersionCommit *found)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	add_common_args(&args, dag_id);
	return find_commit(tables, &plan, "v.id = l.id", dag_id, &args, found);
}

/* The version of that number, and its commit. False: there is none. */
bool
numbered_commit(const AirflowTables *tables, const char *dag_id, int32 number, VersionCommit *found)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	add_common_args(&args, dag_id);
	arg_int(&args, number);
	return find_commit(tables, &plan, "v.version_number = $3", dag_id, &args, found);
}

/*
 * The version that was parsed at "commit", the newest of several; its commit is that one. False:
 * none was, as far as Airflow's tables still tell.
 */
bool
version_at_commit(const AirflowTables *tables, const char *dag_id, const char *commit,
				  VersionCommit *found)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	bool parsed;

	memset(found, 0, sizeof(*found));
	add_common_args(&args, dag_id);
	arg_text(&args, commit);
	if (!find_with_evidence(
			tables, &plan,
			"v.bundle_version = $3 OR (v.id = l.id AND d.bundle_version = $3 AND %1$s)", &args,
			found, &parsed))
		return false;
	found->commit = pstrdup(commit);
	return true;
}

/*
 * What speaks for a commit that somebody names with a version. *later is the version that has it
 * where that is a later one.
 */
CommitEvidence
commit_evidence(const AirflowTables *tables, const char *dag_id, const VersionCommit *version,
				const char *commit, int32 *later)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	if (same_text(commit, version->commit) || same_text(commit, version->version.bundle_version))
		return COMMIT_OF_VERSION;
	add_common_args(&args, dag_id);
	arg_uuid(&args, &version->version.id);
	arg_text(&args, commit);
	run_as_airflow(
		tables, &plan,
		psprintf("SELECT (SELECT min(l.version_number) FROM %1$s.dag_version l"
				 " WHERE l.dag_id = v.dag_id AND l.version_number > v.version_number"
				 " AND (l.bundle_version = $4 OR EXISTS (SELECT FROM %1$s.dag_run x"
				 " WHERE x.dag_id = l.dag_id AND x.created_dag_version_id = l.id"
				 " AND x.bundle_version = $4 AND x.clear_number = 0))), count(r.id),"
				 " coalesce(bool_and(r.queued_at <= s.last_updated + " UPDATE_INTERVAL "), false)"
				 " FROM %1$s.dag_version v"
				 " LEFT JOIN %1$s.serialized_dag s ON s.dag_version_id = v.id"
				 " LEFT JOIN %1$s.dag_run r ON r.dag_id = v.dag_id"
				 " AND r.created_dag_version_id = v.id AND r.bundle_version = $4"
				 " AND r.clear_number = 0 WHERE v.dag_id = $1 AND v.id = $3 GROUP BY v.id",
				 tables->quoted_schema),
		&args);
	if (SPI_processed == 0)
		return COMMIT_UNKNOWN;
	if (!row_is_null(0, 1))
	{
		*later = row_int(0, 1);
		return COMMIT_OF_LATER;
	}
	if (version->is_latest && same_text(commit, version->in_dag))
		return COMMIT_NOT_PARSED;
	if (row_bigint(0, 2) == 0)
		return COMMIT_UNKNOWN;
	return row_bool(0, 3) ? COMMIT_UNSETTLED : COMMIT_OF_RUNS;
}
