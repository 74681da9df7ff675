/*
 * baseline.c
 *		baseline() and postflight(): figures taken before a migration, and compared after it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "airflow/schema.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "plan/plan_steps.h"
#include "relation/relation.h"
#include "upgrade/check_after.h"
#include "upgrade/figures.h"
#include "upgrade/label.h"
#include "util/owner_scope.h"
#include "util/query.h"
#include "util/result_rows.h"

#define ESTIMATE_TOLERANCE 0.1 /* of a table's rows */
#define FEW 10				   /* figures below are noise where rates are compared */
#define QUEUED_LONG 600		   /* seconds */

PG_FUNCTION_INFO_V1(airflow_pin_baseline);
PG_FUNCTION_INFO_V1(airflow_pin_postflight);

/* When the baseline was taken, as text; NULL when there is none of that label. */
static char *
taken_at(const char *label)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, label);
	owner_scope_enter(&scope, pin_relation("baseline_figure"));
	query_run("SELECT min(taken_at)::text FROM airflow_pin.baseline_figure WHERE label = $1", &args,
			  false, 1);
	owner_scope_leave(&scope);
	return row_text(0, 1);
}

static void
store(const char *label, List *figures)
{
	OwnerScope scope;
	ListCell *cell;

	owner_scope_enter(&scope, pin_relation("baseline_figure"));
	foreach (cell, figures)
	{
		const Figure *figure = lfirst(cell);
		QueryArgs args = {0};

		if (figure->unknown)
			continue;
		arg_text(&args, label);
		arg_text(&args, figure->kind->name);
		arg_text(&args, figure->object ? figure->object : "");
		arg_datum(&args, INT8OID, Int64GetDatum(figure->value));
		arg_datum(&args, BOOLOID, BoolGetDatum(figure->estimated));
		query_run(
			"INSERT INTO airflow_pin.baseline_figure (label, figure, object, value, estimated)"
			" VALUES ($1, $2, $3, $4, $5)",
			&args, false, 0);
	}
	owner_scope_leave(&scope);
}

static char *
value_text(int64 value, bool estimated)
{
	return psprintf("%s" INT64_FORMAT, estimated ? "about " : "", value);
}

/*
 * baseline(label text)
 */
Datum
airflow_pin_baseline(PG_FUNCTION_ARGS)
{
	char *label = required_label(fcinfo);
	FindingList *findings = findings_begin();
	List *figures;
	char *earlier;
	ListCell *cell;

	result_rows_begin(fcinfo);
	SPI_connect();
	earlier = taken_at(label);
	if (earlier != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("baseline \"%s\" was taken at %s", label, earlier),
				 errhint("Choose another label, or delete it from airflow_pin.baseline_figure.")));
	figures = collect_figures(airflow_schema(), findings);
	store(label, figures);
	foreach (cell, figures)
	{
		const Figure *figure = lfirst(cell);

		if (figure->unknown)
			continue;
		findings_add(findings, &(Finding){.check_name = figure->kind->name,
										  .severity = SEVERITY_INFO,
										  .object = figure->object,
										  .value = value_text(figure->value, figure->estimated),
										  .message = psprintf("%s now", figure->kind->what)});
	}
	SPI_finish();
	findings_emit(fcinfo, findings, false);
	return (Datum) 0;
}

/* Is the change one to look at? */
static bool
has_worsened(const Figure *before, const Figure *now)
{
	double tolerance =
		before->estimated || now->estimated ? ESTIMATE_TOLERANCE * (double) before->value : 0;

	switch (before->kind->rule)
	{
		case FIGURE_NOT_LESS:
			return now->value < before->value - tolerance;
		case FIGURE_NOT_MORE:
			return now->value > before->value + tolerance;
		case FIGURE_NOT_HALVED:
			return before->value >= FEW && now->value < before->value / 2;
		case FIGURE_NOT_DOUBLED:
			return now->value >= FEW && now->value > 2 * before->value &&
				   (strcmp(before->kind->name, "queue_age_seconds") != 0 ||
					now->value > QUEUED_LONG);
	}
	return false;
}

static const Figure *
find_figure(List *figures, const Figure *like)
{
	ListCell *cell;

	foreach (cell, figures)
	{
		const Figure *figure = lfirst(cell);

		if (figure->kind == like->kind &&
			strcmp(figure->object ? figure->object : "", like->object ? like->object : "") == 0)
			return figure;
	}
	return NULL;
}

static void
compare(FindingList *findings, const Figure *before, const Figure *now)
{
	Finding finding = {.check_name = before->kind->name, .object = before->object};
	bool worse = now == NULL || has_worsened(before, now);

	if (now != NULL && now->unknown)
		return;
	finding.severity = worse ? SEVERITY_WARNING : SEVERITY_OK;
	finding.value = now ? value_text(now->value, now->estimated) : NULL;
	finding.threshold = value_text(before->value, before->estimated);
	finding.message = now ? psprintf("%s: %s now, %s before", before->kind->what, finding.value,
									 finding.threshold)
						  : psprintf("%s: %s before, and not to be had now", before->kind->what,
									 finding.threshold);
	finding.hint = worse ? before->kind->hint : NULL;
	findings_add(findings, &finding);
}

/* The figures of the baseline: a list of Figure. Those of a kind that is no more are left out. */
static List *
stored_figures(const char *label)
{
	QueryArgs args = {0};
	OwnerScope scope;
	List *figures = NIL;

	arg_text(&args, label);
	owner_scope_enter(&scope, pin_relation("baseline_figure"));
	query_run("SELECT figure, nullif(object, ''), value, estimated FROM airflow_pin.baseline_figure"
			  " WHERE label = $1 ORDER BY figure, object",
			  &args, false, 0);
	owner_scope_leave(&scope);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Figure *figure = palloc0(sizeof(Figure));

		figure->kind = figure_kind(row_required_text(row, 1));
		figure->object = row_text(row, 2);
		figure->value = row_bigint(row, 3);
		figure->estimated = row_bool(row, 4);
		if (figure->kind != NULL)
			figures = lappend(figures, figure);
	}
	return figures;
}

/*
 * postflight(label text)
 */
Datum
airflow_pin_postflight(PG_FUNCTION_ARGS)
{
	char *label = required_label(fcinfo);
	FindingList *findings = findings_begin();
	List *before;
	List *now;
	ListCell *cell;

	result_rows_begin(fcinfo);
	SPI_connect();
	before = stored_figures(label);
	if (before == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no baseline \"%s\"", label),
				 errdetail("%s", labels_in_use()),
				 errhint("Take it before the migration: SELECT * FROM airflow_pin.baseline(%s);",
						 quote_literal_cstr(label))));
	now = collect_figures(airflow_schema(), findings);
	foreach (cell, before)
		compare(findings, lfirst(cell), find_figure(now, lfirst(cell)));
	SPI_finish();
	check_after_migration(&(Preflight){
		.findings = findings, .schema = airflow_schema(), .target = plan_release(NULL)});
	findings_emit(fcinfo, findings, true);
	return (Datum) 0;
}
