/*
 * status_report.c
 *		status_report(): a few lines of Markdown for those who wait for a migration.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "relation/relation.h"
#include "upgrade/label.h"
#include "util/owner_scope.h"
#include "util/query.h"

PG_FUNCTION_INFO_V1(airflow_pin_status_report);

/* Times to the minute, so that two reports of one minute are the same. */
#define MINUTE "'YYYY-MM-DD HH24:MI TZ'"

/*
 * A line a session that migrates. A NULL in a part leaves the part out. The evidence has statements
 * of others, and is not for everybody.
 */
static const char *const sessions_sql =
	"SELECT s.verdict,"
	" concat(s.verdict, ' on ' || s.relation, ' (' || s.phase || ')', ', ' || s.component ||"
	"  ' revision ' || s.revision, ', ' || s.percent || ' % done', ', since ' || to_char("
	"  clock_timestamp() - s.running_for, " MINUTE ")),"
	" to_char(clock_timestamp() + s.eta, " MINUTE "),"
	" CASE WHEN s.verdict = 'blocked' AND s.root_blocker = 0 THEN 'by a prepared transaction'"
	"  || coalesce(': ' || replace(s.end_sql, 'ROLLBACK PREPARED ', ''), '')"
	"  WHEN s.verdict = 'blocked' THEN 'by session ' || s.root_blocker END, s.next_action,"
	" s.revisions_left::text, (extract(epoch FROM s.left_low) / 60)::int::text,"
	" ceil(extract(epoch FROM s.left_high) / 60)::int::text"
	" FROM airflow_pin.migration_status() s ORDER BY s.pid";

static void
append_line(StringInfo report, const char *title, const char *text)
{
	if (text != NULL)
		appendStringInfo(report, "- **%s:** %s\n", title, text);
}

static void
append_left(StringInfo report, uint64 row)
{
	const char *count = row_text(row, 6);

	if (count == NULL)
		return;
	if (strcmp(count, "0") == 0)
		append_line(report, "Left", "nothing up to the newest release that is known");
	else
		append_line(
			report, "Left",
			psprintf("%s revisions up to the newest release that is known, %s to %s minutes", count,
					 row_text(row, 7), row_text(row, 8)));
}

static void
append_sessions(StringInfo report)
{
	query_run(sessions_sql, NULL, false, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		append_line(report, "Migration", row_text(row, 2));
		append_line(report, "This operation ends about", row_text(row, 3));
		append_line(report, "Blocked", row_text(row, 4));
		append_line(report, "What happens next", row_text(row, 5));
	}
	if (SPI_processed > 0)
		append_left(report, 0);
}

/* What a query of the label's rows in a table of the extension says; NULL when it has none. */
static const char *
of_label(const char *table, const char *label, const char *sql)
{
	QueryArgs args = {0};
	OwnerScope scope;

	arg_text(&args, label);
	owner_scope_enter(&scope, pin_relation(table));
	query_run(sql, &args, false, 1);
	owner_scope_leave(&scope);
	return SPI_processed > 0 ? row_text(0, 1) : NULL;
}

/* The report is of use without, but lacks what was meant where the label is mistyped. */
static void
notice_unknown_label(const char *label)
{
	ereport(NOTICE,
			(errmsg("nothing is kept under label \"%s\"", label), errdetail("%s", labels_in_use()),
			 errhint("Name the label that baseline() and pause_all() were given.")));
}

/*
 * status_report(label text)
 */
Datum
airflow_pin_status_report(PG_FUNCTION_ARGS)
{
	char *label = required_label(fcinfo);
	MemoryContext caller = CurrentMemoryContext;
	StringInfoData report;
	const char *begun;
	const char *dags;
	const char *throttled;
	text *result;

	SPI_connect();
	initStringInfo(&report);
	query_run("SELECT to_char(clock_timestamp(), " MINUTE ")", NULL, false, 1);
	appendStringInfo(&report, "### Airflow: %s, %s\n\n", label, row_text(0, 1));
	begun = of_label("baseline_figure", label,
					 "SELECT to_char(min(taken_at), " MINUTE ")"
					 " FROM airflow_pin.baseline_figure WHERE label = $1");
	append_line(&report, "Begun", begun);
	append_sessions(&report);
	dags = of_label("paused_dag", label,
					"SELECT count(*) FILTER (WHERE resumed_at IS NULL) || ' paused for it, '"
					" || count(resumed_at) || ' brought back'"
					" FROM airflow_pin.paused_dag WHERE label = $1 HAVING count(*) > 0");
	append_line(&report, "DAGs", dags);
	throttled = of_label("throttle", label,
						 "SELECT 'at most ' || max_active_runs || ' of a DAG at a time, since '"
						 " || to_char(throttled_at, " MINUTE ")"
						 " FROM airflow_pin.throttle WHERE label = $1");
	append_line(&report, "Runs", throttled);
	if (begun == NULL && dags == NULL && throttled == NULL)
		notice_unknown_label(label);
	MemoryContextSwitchTo(caller);
	result = cstring_to_text(report.data);
	SPI_finish();
	PG_RETURN_TEXT_P(result);
}
