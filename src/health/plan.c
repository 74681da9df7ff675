/*
 * plan.c
 *		migration_plan(): what "airflow db migrate" will do to which table, and how long it takes.
 *
 * Nothing here waits for a lock on a table of Airflow, or reads one but for the revision: sizes
 *come from the system catalogs.
 */
#include "plan.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "airflow/catalog.h"
#include "health/plan_cost.h"
#include "health/plan_steps.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

#define PLAN_COLUMNS 14

/* A plan in the making. */
typedef struct MigrationPlan
{
	FunctionCallInfo fcinfo;
	Oid namespace;
	List *steps; /* those emitted so far */
	int count;
	TableSize statement; /* of the table that the statement is about, of which this is a step */
} MigrationPlan;

PG_FUNCTION_INFO_V1(health_migration_plan);

/* Pages, rows and TOAST table of a relation by pg_class; false when it is gone. */
static bool
class_size(Oid relation, double *bytes, double *rows, Oid *toast)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Form_pg_class form;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	*bytes = (double) form->relpages * BLCKSZ;
	*rows = form->reltuples;
	*toast = form->reltoastrelid;
	ReleaseSysCache(tuple);
	return true;
}

/* Bytes of a table's indexes. */
static double
index_bytes(Oid table)
{
	Relation pg_index = table_open(IndexRelationId, AccessShareLock);
	double total = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(table));
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		double bytes;
		double rows;
		Oid toast;

		if (class_size(((Form_pg_index) GETSTRUCT(tuple))->indexrelid, &bytes, &rows, &toast))
			total += bytes;
	}
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return total;
}

/*
 * Size of a table as of its last VACUUM or ANALYZE: pg_class is all that can be read while a
 * migration holds its lock on the table.
 */
static TableSize
table_size(Oid table)
{
	TableSize size = {.relation = table};
	double toast_bytes = 0;
	double toast_rows;
	Oid toast;
	Oid none;

	if (!OidIsValid(table) || !class_size(table, &size.heap_bytes, &size.rows, &toast))
		return (TableSize){.relation = InvalidOid};
	size.known = size.rows >= 0;
	size.rows = Max(size.rows, 0);
	if (OidIsValid(toast))
		(void) class_size(toast, &toast_bytes, &toast_rows, &none);
	size.total_bytes = size.heap_bytes + toast_bytes + index_bytes(table);
	return size;
}

/*
 * The table that a step is about, under the name that it has now: an earlier step of the plan may
 * rename it. InvalidOid when it is yet to be created.
 */
static Oid
step_relation(const MigrationPlan *plan, const char *name)
{
	for (int i = list_length(plan->steps) - 1; i >= 0; i--)
	{
		const PlanEntry *step = list_nth(plan->steps, i);

		if (step->relation == NULL)
			continue;
		if (step->renamed != NULL && strcmp(step->renamed, name) == 0)
			name = step->relation;
		else if (strcmp(step->relation, name) == 0 &&
				 strncmp(step->operation, "CREATE TABLE", strlen("CREATE TABLE")) == 0)
			return get_relname_relid(name, plan->namespace);
	}
	return get_relname_relid(name, plan->namespace);
}

/* Would timestamp to timestamptz rewrite the table, in a session with this TimeZone? */
static bool
timezone_is_utc(void)
{
	return !TimestampTimestampTzRequiresRewrite();
}

static Datum
interval_datum(double seconds)
{
	Interval *interval = palloc0(sizeof(Interval));

	interval->time = (int64) rint(seconds * 1000) * (USECS_PER_SEC / 1000);
	return IntervalPGetDatum(interval);
}

/* A row of the result, filled in column by column. */
typedef struct Row
{
	int count;
	Datum values[PLAN_COLUMNS];
	bool nulls[PLAN_COLUMNS];
} Row;

static void
put(Row *row, Datum value, bool isnull)
{
	Assert(row->count < PLAN_COLUMNS);
	row->values[row->count] = value;
	row->nulls[row->count++] = isnull;
}

static void
put_text(Row *row, const char *text)
{
	put(row, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static void
emit_step(MigrationPlan *plan, const PlanEntry *revision, const PlanEntry *step)
{
	Row row = {0};
	bool spared = (step->flags & STEP_REWRITES_UNLESS_UTC) != 0 && timezone_is_utc();
	int flags = spared ? 0 : step->flags;
	bool rewrites = (flags & (STEP_REWRITES | STEP_REWRITES_UNLESS_UTC)) != 0;
	TableSize size = table_size(step->relation ? step_relation(plan, step->relation) : InvalidOid);
	bool exists = OidIsValid(size.relation);
	Estimate eta = plan_cost(step, spared ? COST_CATALOG : step->cost, &size, &plan->statement);

	put(&row, Int32GetDatum(++plan->count), false);
	put_text(&row, revision->component == COMPONENT_CORE ? "core" : "fab");
	put_text(&row, revision->revision);
	put_text(&row, revision->version);
	put_text(&row, step->relation);
	put_text(&row, step->operation);
	put_text(&row, step->lock_mode);
	put(&row, BoolGetDatum(rewrites), false);
	put(&row, BoolGetDatum(rewrites || (flags & STEP_SCANS) != 0), false);
	put(&row, Int64GetDatum((int64) size.rows), !size.known);
	put(&row, Int64GetDatum((int64) size.total_bytes), !exists);
	put(&row, interval_datum(eta.low), exists && !size.known);
	put(&row, interval_datum(eta.high), exists && !size.known);
	put(&row, BoolGetDatum((flags & STEP_UPDATES_ROWS) != 0), false);
	Assert(row.count == PLAN_COLUMNS);
	result_row(plan->fcinfo, row.values, row.nulls);

	if (step->cost != COST_CATALOG && step->cost != COST_REFERENCED && step->cost != COST_JOIN)
		plan->statement = size;
	plan->steps = lappend(plan->steps, unconstify(PlanEntry *, step));
}

static void
emit_revisions(MigrationPlan *plan, List *revisions)
{
	ListCell *cell;

	foreach (cell, revisions)
	{
		const PlanEntry *revision = lfirst(cell);

		for (const PlanEntry *step = plan_next_step(revision); step != NULL;
			 step = plan_next_step(step))
			emit_step(plan, revision, step);
	}
}

static void
raise_no_single_revision(const char *table, uint64 count)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("table \"%s\" has " UINT64_FORMAT " revisions where it should have one",
						   table, count),
					errdetail("A plan starts at the one revision that the database is at."),
					errhint("See \"airflow db check-migrations\".")));
}

static void
raise_locked(Oid relation, const char *schema, const char *table)
{
	QueryArgs args = {0};
	const char *holders;

	arg_datum(&args, OIDOID, ObjectIdGetDatum(relation));
	arg_datum(&args, OIDOID, ObjectIdGetDatum(MyDatabaseId));
	query_run("SELECT pg_catalog.string_agg(DISTINCT pid::text, ', ') FROM pg_catalog.pg_locks"
			  " WHERE relation OPERATOR(pg_catalog.=) $1 AND database OPERATOR(pg_catalog.=) $2"
			  " AND granted"
			  " AND mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'",
			  &args, true, 1);
	holders = row_text(0, 1);
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("table \"%s.%s\" is locked", schema, table),
			 holders ? errdetail("The lock's holder is process %s.", holders)
					 : errdetail("A session waits for a lock that no reader may pass, or has just "
								 "let go of one."),
			 errhint("The plan starts at the revision in this table. Try again when the migration, "
					 "or whatever else holds it, is done.")));
}

/*
 * The revision that a version table holds, or NULL when there is no such table. Raises an error
 * rather than wait for a lock on it. To be called between SPI_connect() and SPI_finish().
 */
const char *
plan_read_revision(const char *schema, const char *table)
{
	Oid namespace = get_namespace_oid(schema, true);
	Oid relation = get_relname_relid(table, namespace);
	OwnerScope scope;

	if (!OidIsValid(relation))
		return NULL;
	if (!ConditionalLockRelationOid(relation, AccessShareLock))
		raise_locked(relation, schema, table);
	if (get_relname_relid(table, namespace) != relation || !relation_is_table(relation))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s.%s\" is not a table of Airflow", schema, table),
						errdetail("It was dropped or replaced just now, or is a view."),
						errhint("Check airflow_pin.airflow_schema.")));
	owner_scope_enter_foreign(&scope, relation);
	query_run(psprintf("SELECT version_num FROM %s.%s", quote_identifier(schema),
					   quote_identifier(table)),
			  NULL, true, 2);
	owner_scope_leave(&scope);
	if (SPI_processed != 1)
		raise_no_single_revision(table, SPI_processed);
	return row_required_text(0, 1);
}

/* Position of the database's revision; raises an error for one that no known release has. */
static int
known_position(Component component, const char *revision)
{
	int position = plan_position(component, revision);

	if (position < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("unknown %s revision \"%s\"",
						component == COMPONENT_CORE ? "Airflow" : "FAB", revision),
				 errdetail("Known are the revisions of Airflow %s to %s.",
						   plan_first_release()->name, plan_release(NULL)->name),
				 errhint("From a release before the first of these, migrate to it first; for a "
						 "newer one a newer airflow_pin is needed.")));
	return position;
}

static const Release *
known_target(const char *name)
{
	const Release *target = plan_release(name);

	if (target == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown Airflow release \"%s\"", name),
						errdetail("Known are %s.", plan_releases_text()),
						errhint("Name the known release that comes next before or after it, or "
								"none for the newest.")));
	return target;
}

static void
plan_core(MigrationPlan *plan, const char *schema, const Release *target)
{
	const char *revision = plan_read_revision(schema, "alembic_version");
	int position;

	if (revision == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("schema \"%s\" has no Airflow tables", schema),
						errdetail("It has no table alembic_version."),
						errhint("Set airflow_pin.airflow_schema to the schema that has them.")));
	position = known_position(COMPONENT_CORE, revision);
	if (position > plan_position(COMPONENT_CORE, target->core_revision))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the database is newer than Airflow %s", target->name),
						errdetail("It is at revision \"%s\", which came with Airflow %s.", revision,
								  plan_release_of(COMPONENT_CORE, revision)),
						errhint("Name a later release, or none for the newest.")));
	emit_revisions(plan, plan_revisions(COMPONENT_CORE, position, target));
}

/* FAB's own revisions; there are none where its tables are not in use. */
static void
plan_fab(MigrationPlan *plan, const char *schema, const Release *target)
{
	const char *revision;

	if (target->fab_revision == NULL || !OidIsValid(get_relname_relid("ab_user", plan->namespace)))
		return;
	revision = plan_read_revision(schema, "alembic_version_fab");
	emit_revisions(plan,
				   plan_revisions(COMPONENT_FAB, known_position(COMPONENT_FAB, revision), target));
}

/*
 * migration_plan(target)
 */
Datum
health_migration_plan(PG_FUNCTION_ARGS)
{
	char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	const Release *target = known_target(name);
	const char *schema = airflow_schema();
	MigrationPlan plan = {.fcinfo = fcinfo, .namespace = get_namespace_oid(schema, true)};

	if (!OidIsValid(plan.namespace))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA), errmsg("schema \"%s\" does not exist", schema),
				 errhint("Check airflow_pin.airflow_schema.")));
	result_rows_begin(fcinfo);
	SPI_connect();
	plan_core(&plan, schema, target);
	plan_fab(&plan, schema, target);
	SPI_finish();
	return (Datum) 0;
}
