/*
 * check_in_flight.c
 *		Check: has Airflow finished what it began?
 */
#include "postgres.h"

#include "health/finding.h"
#include "health/health_check.h"
#include "health/in_flight.h"
#include "preflight/checks.h"

#include "utils/builtins.h"

#define QUEUED_LONG_SECONDS 3600
#define MAX_NAMED 20 /* DAGs that get a finding each */

static bool
has_kind(List *items, const char *kind)
{
	ListCell *cell;

	foreach (cell, items)
		if (strcmp(((const InFlight *) lfirst(cell))->kind, kind) == 0)
			return true;
	return false;
}

static void
add_unknown(FindingList *findings, const InFlight *item)
{
	Finding finding = {
		.check_name = "in_flight", .severity = SEVERITY_UNKNOWN, .object = item->kind};

	finding.message = psprintf("table %s %s", item->kind, item->unread.what);
	finding.hint = item->unread.hint;
	findings_add(findings, &finding);
}

/* A process is at work on it now, and a migration would pull the tables away from under it. */
static bool
is_at_work(const InFlight *item)
{
	return strcmp(item->kind, "task_instance") == 0 &&
		   (strcmp(item->state, "running") == 0 || strcmp(item->state, "restarting") == 0);
}

/* One finding a kind and state; the items come ordered by both. */
static void
add_state(FindingList *findings, List *items, const InFlight *first)
{
	Finding finding = {.check_name = "in_flight", .threshold = "0"};
	int64 count = 0;
	int dags = 0;
	ListCell *cell;

	foreach (cell, items)
	{
		const InFlight *item = lfirst(cell);

		if (strcmp(item->kind, first->kind) != 0 || strcmp(item->state, first->state) != 0)
			continue;
		count += item->count;
		dags++;
	}
	finding.severity = is_at_work(first) ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	finding.object = first->kind;
	finding.value = psprintf(INT64_FORMAT " %s", count, first->state);
	finding.message =
		psprintf(INT64_FORMAT " %s in state %s, DAGs: %d", count, first->kind, first->state, dags);
	finding.hint = "Pause the DAGs, then wait with CALL airflow_pin.drain(); "
				   "SELECT * FROM airflow_pin.in_flight(); shows what is left.";
	findings_add(findings, &finding);
}

static double
queued_seconds(const InFlight *item)
{
	if (strcmp(item->state, "queued") != 0 || TIMESTAMP_IS_NOBEGIN(item->oldest))
		return 0;
	return (double) (GetCurrentTimestamp() - item->oldest) / USECS_PER_SEC;
}

/* What has been queued for so long is not going to run by itself. */
static void
add_queued_long(FindingList *findings, const InFlight *item)
{
	Finding finding = {.check_name = "queued_long",
					   .severity = SEVERITY_WARNING,
					   .object = item->dag_id,
					   .threshold = "1 hour"};

	finding.value = psprintf("%.1f hours", queued_seconds(item) / SECS_PER_HOUR);
	finding.message = psprintf(INT64_FORMAT " %s of DAG \"%s\" in state queued, the oldest for %s",
							   item->count, item->kind, item->dag_id, finding.value);
	finding.hint = "It waits for a pool slot, an executor that is gone, or a version that is gone: "
				   "let it run, or mark it failed, before the migration.";
	findings_add(findings, &finding);
}

/* A finding for each DAG, as long as they are not many. */
static void
check_queued_long(FindingList *findings, List *items)
{
	int found = 0;
	ListCell *cell;

	foreach (cell, items)
	{
		const InFlight *item = lfirst(cell);

		if (item->unread.what != NULL || queued_seconds(item) <= QUEUED_LONG_SECONDS)
			continue;
		if (++found <= MAX_NAMED)
			add_queued_long(findings, item);
	}
	if (found > MAX_NAMED)
		findings_add(findings, &(Finding){.check_name = "queued_long",
										  .severity = SEVERITY_WARNING,
										  .value = psprintf("%d", found),
										  .threshold = "1 hour",
										  .message = psprintf("%d more DAGs have something queued "
															  "for more than an hour",
															  found - MAX_NAMED),
										  .hint = "SELECT * FROM airflow_pin.in_flight() shows "
												  "all."});
}

void
check_in_flight(const Preflight *preflight)
{
	FindingList *findings = preflight->findings;
	static const char *const kinds[] = {"dag_run", "task_instance", "backfill"};
	List *items = in_flight_list(preflight->schema);
	const InFlight *previous = NULL;
	ListCell *cell;

	foreach (cell, items)
	{
		const InFlight *item = lfirst(cell);

		if (item->unread.what != NULL)
			add_unknown(findings, item);
		else if (previous == NULL || strcmp(previous->kind, item->kind) != 0 ||
				 strcmp(previous->state, item->state) != 0)
			add_state(findings, items, item);
		previous = item;
	}
	check_queued_long(findings, items);
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		Finding finding = {.check_name = "in_flight", .value = "0", .threshold = "0"};

		finding.object = kinds[i];
		finding.message = psprintf("no %s is in flight", kinds[i]);
		if (!has_kind(items, kinds[i]))
			findings_add(findings, &finding);
	}
}
