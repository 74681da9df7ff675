/*
 * version.c
 *		Airflow's DAG versions.
 *
 * All functions run SQL as the owner of Airflow's tables and are to be called connected to SPI;
 * what they return lives until SPI_finish().
 */
#include "version.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "util/owner_scope.h"
#include "util/query.h"

static void
run_as_airflow(const AirflowTables *tables, KeptPlan *plan, const char *sql, QueryArgs *args)
{
	OwnerScope scope;

	owner_scope_enter_foreign(&scope, tables->dag_version);
	query_run_kept(plan, sql, args, 1);
	owner_scope_leave(&scope);
}

/*
 * Bundle of the DAG and the commit that it was last parsed at. False: no such DAG.
 */
bool
dag_source(const AirflowTables *tables, const char *dag_id, DagSource *source)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_airflow(tables, &plan,
				   psprintf("SELECT bundle_name, bundle_version FROM %s.dag WHERE dag_id = $1",
							tables->quoted_schema),
				   &args);
	if (SPI_processed == 0)
		return false;
	source->bundle_name = row_text(0, 1);
	source->bundle_version = row_text(0, 2);
	return true;
}

/*
 * What orders a DAG's versions: the number, as it should be, but Airflow before 3.3 goes by the
 * time (DagVersion._latest_version_select, airflow/models/dag_version.py). They differ where the
 * clocks of two DAG processors do.
 */
const char *
version_order(const AirflowTables *tables)
{
	return tables->minor >= AIRFLOW_3_3 ? "version_number" : "created_at DESC, v.version_number";
}

static bool
find_version(const AirflowTables *tables, KeptPlan *plan, const char *condition, const char *order,
			 QueryArgs *args, DagVersion *version)
{
	char *sql = psprintf("SELECT v.id, v.version_number, v.bundle_name, v.bundle_version,"
						 " s.dag_hash, c.source_code_hash"
						 " FROM %1$s.dag_version v"
						 " LEFT JOIN %1$s.serialized_dag s ON s.dag_version_id = v.id"
						 " LEFT JOIN %1$s.dag_code c ON c.dag_version_id = v.id"
						 " WHERE %2$s ORDER BY v.%3$s DESC LIMIT 1",
						 tables->quoted_schema, condition, order);

	run_as_airflow(tables, plan, sql, args);
	if (SPI_processed == 0)
		return false;
	version->id = row_uuid(0, 1);
	version->number = row_int(0, 2);
	version->bundle_name = row_text(0, 3);
	version->bundle_version = row_text(0, 4);
	version->dag_hash = row_text(0, 5);
	version->source_code_hash = row_text(0, 6);
	return true;
}

/* The version that new runs get. */
bool
version_latest(const AirflowTables *tables, const char *dag_id, DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	return find_version(tables, &plan, "v.dag_id = $1", version_order(tables), &args, version);
}

bool
version_by_number(const AirflowTables *tables, const char *dag_id, int32 number,
				  DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	arg_int(&args, number);
	return find_version(tables, &plan, "v.dag_id = $1 AND v.version_number = $2", "version_number",
						&args, version);
}

/* The nearest version below "number" that still exists. */
bool
version_before(const AirflowTables *tables, const char *dag_id, int32 number, DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	arg_int(&args, number);
	return find_version(tables, &plan, "v.dag_id = $1 AND v.version_number < $2", "version_number",
						&args, version);
}

bool
version_by_id(const AirflowTables *tables, const pg_uuid_t *id, DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_uuid(&args, id);
	return find_version(tables, &plan, "v.id = $1", "version_number", &args, version);
}

/*
 * Is there such a version that this transaction cannot see, because its snapshot is older? A pin is
 * obeyed as of now, under each isolation level, and may be newer than the snapshot.
 */
bool
version_is_newer_than_snapshot(const AirflowTables *tables, const pg_uuid_t *id)
{
	QueryArgs args = {0};
	OwnerScope scope;

	if (!IsolationUsesXactSnapshot())
		return false;
	arg_uuid(&args, id);
	owner_scope_enter_foreign(&scope, tables->dag_version);
	PushActiveSnapshot(GetLatestSnapshot());
	query_run(psprintf("SELECT FROM %s.dag_version WHERE id = $1", tables->quoted_schema), &args,
			  true, 1);
	PopActiveSnapshot();
	owner_scope_leave(&scope);
	return SPI_processed > 0;
}

/*
 * Keep the version from being deleted until the end of the transaction, as the foreign key that
 * is about to point to it would. False: it is gone.
 */
bool
version_lock(const AirflowTables *tables, const pg_uuid_t *id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_uuid(&args, id);
	run_as_airflow(
		tables, &plan,
		psprintf("SELECT 1 FROM %s.dag_version WHERE id = $1 FOR KEY SHARE", tables->quoted_schema),
		&args);
	return SPI_processed > 0;
}

/*
 * Keep a locked version from being changed until the end of the transaction, with its content, and
 * read it anew, as whoever was changing it has left it. Waits for them. The rows are locked in the
 * order in which write_dag writes them (airflow/models/serialized_dag.py), lest a parse be the
 * victim of a deadlock: 3.0 leaves it to SQLAlchemy, which writes a parent first.
 */
void
version_lock_content(const AirflowTables *tables, DagVersion *version)
{
	static KeptPlan plan;
	QueryArgs args = {0};
	bool parent_first = tables->minor == AIRFLOW_3_0;

	arg_uuid(&args, &version->id);
	run_as_airflow(tables, &plan,
				   psprintf("WITH content AS (SELECT 1 FROM %1$s.serialized_dag"
							" WHERE dag_version_id = $1 FOR SHARE),"
							" version AS (SELECT 1 FROM %1$s.dag_version"
							" WHERE id = $1 FOR SHARE),"
							" code AS (SELECT 1 FROM %1$s.dag_code"
							" WHERE dag_version_id = $1 FOR SHARE)"
							" SELECT (SELECT count(*) FROM %2$s), (SELECT count(*) FROM %3$s),"
							" (SELECT count(*) FROM code)",
							tables->quoted_schema, parent_first ? "version" : "content",
							parent_first ? "content" : "version"),
				   &args);
	(void) version_by_id(tables, &version->id, version);
}

/* The numbers of the DAG's versions for a message, newest first and at most 20 of them. */
char *
version_numbers(const AirflowTables *tables, const char *dag_id)
{
	static KeptPlan plan;
	QueryArgs args = {0};

	arg_text(&args, dag_id);
	run_as_airflow(tables, &plan,
				   psprintf("SELECT coalesce(string_agg(version_number::text, ', ' ORDER BY"
							" version_number DESC) FILTER (WHERE place <= 20)"
							" || CASE WHEN count(*) > 20 THEN ', and older' ELSE '' END, 'none')"
							" FROM (SELECT version_number, row_number() OVER"
							" (ORDER BY version_number DESC) AS place"
							" FROM %s.dag_version WHERE dag_id = $1) v",
							tables->quoted_schema),
				   &args);
	return row_text(0, 1);
}
