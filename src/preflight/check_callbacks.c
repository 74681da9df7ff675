/*
 * check_callbacks.c
 *		Check: are there callbacks that nobody has called yet?
 *
 * Airflow writes what is to be called when a DAG run or a task fails into callback_request, and the
 * DAG processor calls it and deletes the row.
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "health/table_query.h"
#include "plan/pending.h"
#include "plan/plan_steps.h"
#include "preflight/checks.h"
#include "util/query.h"

#include "utils/builtins.h"

#define TABLE "callback_request"

/* The revision that deletes them, or NULL. */
static const PlanEntry *
deleting_revision(List *revisions)
{
	ListCell *cell;

	foreach (cell, revisions)
		for (const PlanEntry *step = plan_next_step(lfirst(cell)); step != NULL;
			 step = plan_next_step(step))
			if (step->relation != NULL && strcmp(step->relation, TABLE) == 0 &&
				strncmp(step->operation, "DELETE", strlen("DELETE")) == 0)
				return lfirst(cell);
	return NULL;
}

/* Were the rows written by Airflow 2? Then the first revision that is still to come is one of 3.0. */
static bool
is_airflow2(List *revisions)
{
	const PlanEntry *first = revisions != NIL ? linitial(revisions) : NULL;

	return first != NULL && plan_version_before(first->version, "3.1");
}

/* The DAG processor of 3.1.8 was seen to end on such rows at every start, that of 3.0.6 reads them alike. */
static void
add_unreadable(const Preflight *preflight, Finding *finding)
{
	finding->severity = SEVERITY_CRITICAL;
	finding->message = psprintf(
		"%s callbacks of Airflow 2 were not called yet: the migration passes, but then the "
		"DAG processor of Airflow %s exits with status 1 at every start",
		finding->value, preflight->target->name);
	finding->hint = "Let the DAG processor of Airflow 2 call them: it deletes what it has called. "
					"What is then left will never be called: delete it.";
	finding->fix_sql =
		psprintf("DELETE FROM %s;", quote_qualified_identifier(preflight->schema, TABLE));
}

static void
add_lost(const PlanEntry *revision, Finding *finding)
{
	finding->severity = SEVERITY_WARNING;
	finding->message = psprintf("%s callbacks were not called yet, and revision %s of Airflow %s "
								"deletes them: what should happen on those failures never does",
								finding->value, revision->revision, revision->version);
	finding->hint = "Before you stop Airflow, let its DAG processor call them: it deletes what it "
					"has called, until the table is empty.";
}

void
check_callbacks(const Preflight *preflight)
{
	Finding finding = {.check_name = "callbacks", .object = TABLE, .threshold = "0"};
	List *revisions = pending_revisions(COMPONENT_CORE, preflight->schema, preflight->target);
	const PlanEntry *deletes = deleting_revision(revisions);

	if (revisions == NIL ||
		!query_airflow_table(preflight->findings, preflight->schema, "callbacks", TABLE,
							 "SELECT count(*)::text FROM %s"))
		return;
	finding.value = row_required_text(0, 1);
	if (strcmp(finding.value, "0") == 0)
		finding.message = "no callback waits to be called";
	else if (deletes != NULL)
		add_lost(deletes, &finding);
	else if (is_airflow2(revisions))
		add_unreadable(preflight, &finding);
	else
		finding.message = psprintf("%s callbacks wait to be called, and stay", finding.value);
	findings_add(preflight->findings, &finding);
}
