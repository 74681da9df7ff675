/*
 * plan.c
 *		migration_plan(): what "airflow db migrate" will do to which table, and how long it takes.
 *
 * Nothing here waits for a lock on a table of Airflow, or reads one but for the revision:
 * sizes come from the system catalogs and the files.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "airflow/role_setting.h"
#include "airflow/schema.h"
#include "plan/pending.h"
#include "plan/plan_cost.h"
#include "plan/plan_steps.h"
#include "plan/plan_walk.h"
#include "relation/relation_size.h"
#include "util/interval.h"
#include "util/result_rows.h"

#define PLAN_COLUMNS 14

/* A plan in the making. */
typedef struct MigrationPlan
{
	FunctionCallInfo fcinfo;
	Oid namespace;
	bool utc;	 /* the migrating role's TimeZone */
	List *steps; /* those emitted so far */
	List *sizes; /* of the tables that they are about: TableSize */
	int count;
	TableSize statement; /* of the table that the statement is about, of which this is a step */
} MigrationPlan;

PG_FUNCTION_INFO_V1(airflow_pin_migration_plan);

/* Rows and bytes of a table with its partitions, from the catalogs and the files. */
static TableSize
read_table_size(Oid table)
{
	TableSize result = {.relation = table};
	RelationSize size = table_tree_size(table);

	result.known = size.estimated_rows >= 0;
	result.rows = Max(size.estimated_rows, 0);
	result.heap_bytes = size.heap;
	result.total_bytes = relation_total_bytes(&size);
	return result;
}

/* The same, once for each table: a plan has hundreds of steps. */
static TableSize
table_size(MigrationPlan *plan, Oid table)
{
	TableSize *size;
	ListCell *cell;

	if (!OidIsValid(table))
		return (TableSize){.relation = InvalidOid};
	foreach (cell, plan->sizes)
		if (((const TableSize *) lfirst(cell))->relation == table)
			return *(const TableSize *) lfirst(cell);
	size = palloc(sizeof(TableSize));
	*size = read_table_size(table);
	plan->sizes = lappend(plan->sizes, size);
	return *size;
}

static void
emit_step(MigrationPlan *plan, const PlanEntry *revision, const PlanEntry *step)
{
	ResultRow row = {0};
	bool spared = (step->flags & STEP_REWRITES_UNLESS_UTC) != 0 && plan->utc;
	int flags = spared ? 0 : step->flags;
	bool rewrites = (flags & (STEP_REWRITES | STEP_REWRITES_UNLESS_UTC)) != 0;
	TableSize size = table_size(
		plan, step->relation ? plan_step_relation(plan->steps, step->relation, plan->namespace)
							 : InvalidOid);
	bool exists = OidIsValid(size.relation);
	Estimate eta = plan_cost(step, spared ? COST_CATALOG : step->cost, &size, &plan->statement);

	row_put(&row, Int32GetDatum(++plan->count), false);
	row_put_text(&row, revision->component == COMPONENT_CORE ? "core" : "fab");
	row_put_text(&row, revision->revision);
	row_put_text(&row, revision->version);
	row_put_text(&row, step->relation);
	row_put_text(&row, step->operation);
	row_put_text(&row, step->lock_mode);
	row_put(&row, BoolGetDatum(rewrites), false);
	row_put(&row, BoolGetDatum(rewrites || (flags & STEP_SCANS) != 0), false);
	row_put(&row, Int64GetDatum((int64) size.rows), !size.known);
	row_put(&row, Int64GetDatum((int64) size.total_bytes), !exists);
	row_put(&row, IntervalPGetDatum(interval_of_seconds(eta.low)), exists && !size.known);
	row_put(&row, IntervalPGetDatum(interval_of_seconds(eta.high)), exists && !size.known);
	row_put(&row, BoolGetDatum((flags & STEP_UPDATES_ROWS) != 0), false);
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

static const Release *
known_target(const char *name)
{
	const Release *target = plan_known_target(name);

	if (name != NULL && strcmp(name, target->name) != 0)
		ereport(NOTICE,
				(errmsg("the plan is for Airflow %s, which stands for %s", target->name, name),
				 errdetail("Known are %s.", plan_releases_text())));
	return target;
}

/*
 * migration_plan(target)
 */
Datum
airflow_pin_migration_plan(PG_FUNCTION_ARGS)
{
	char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	const Release *target = known_target(name);
	const char *schema = airflow_schema();
	MigrationPlan plan = {.fcinfo = fcinfo, .namespace = get_namespace_oid(schema, false)};

	result_rows_begin(fcinfo);
	SPI_connect();
	plan.utc = migrates_in_utc(schema);
	emit_revisions(&plan, pending_revisions(COMPONENT_CORE, schema, target));
	emit_revisions(&plan, pending_revisions(COMPONENT_FAB, schema, target));
	SPI_finish();
	return (Datum) 0;
}
