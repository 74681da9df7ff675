/*
 * plan.c
 *		migration_plan(): what "airflow db migrate" will do to which table, and how long it takes.
 *
 * Nothing here waits for a lock on a table of Airflow, or reads one but for the revision:
 * sizes come from the system catalogs and the files.
 */
#include "airflow_pin.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "airflow/catalog.h"
#include "health/plan_cost.h"
#include "health/plan_steps.h"
#include "health/relation_size.h"
#include "health/revision.h"
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

/* Rows and bytes of a table, from the catalogs and its files. */
static TableSize
table_size(Oid table)
{
	TableSize result = {.relation = table};
	RelationSize size;

	if (!OidIsValid(table))
		return result;
	size = relation_size(table);
	result.known = size.estimated_rows >= 0;
	result.rows = Max(size.estimated_rows, 0);
	result.heap_bytes = size.heap;
	result.total_bytes = relation_total_bytes(&size);
	return result;
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
	put(&row, IntervalPGetDatum(interval_of_seconds(eta.low)), exists && !size.known);
	put(&row, IntervalPGetDatum(interval_of_seconds(eta.high)), exists && !size.known);
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
raise_no_single_revision(const char *table, int count)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("table \"%s\" has %d revisions where it should have one", table, count),
					errdetail("A plan starts at the one revision that the database is at."),
					errhint("See \"airflow db check-migrations\".")));
}

/* The revision that a version table holds, or NULL when there is no such table. */
static const char *
read_revision(const char *schema, const char *table)
{
	List *revisions;

	if (!revisions_exist(schema, table))
		return NULL;
	revisions = read_revisions(schema, table);
	if (list_length(revisions) != 1)
		raise_no_single_revision(table, list_length(revisions));
	return linitial(revisions);
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
	const char *revision = read_revision(schema, CORE_VERSION_TABLE);
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
	revision = read_revision(schema, FAB_VERSION_TABLE);
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
