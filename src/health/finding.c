/*
 * finding.c
 *		What a check found: the row that all health checks emit.
 *
 * A check is a C function that adds to a FindingList, so that it serves both its own SQL function
 * and preflight().
 */
#include "finding.h"

#include "utils/memutils.h"

#include "util/copy_text.h"
#include "util/result_rows.h"

static const char *const severity_names[] = {
	[SEVERITY_OK] = "ok",
	[SEVERITY_INFO] = "info",
	[SEVERITY_UNKNOWN] = "unknown",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
};

/* The severity of that name, as SQL has it. */
Severity
severity_of_name(const char *name)
{
	for (int severity = SEVERITY_OK; severity <= SEVERITY_CRITICAL; severity++)
		if (strcmp(severity_names[severity], name) == 0)
			return (Severity) severity;
	elog(ERROR, "unknown severity \"%s\"", name);
}

/* An empty list, in the current memory context, which is where findings are copied to. */
FindingList *
findings_begin(void)
{
	FindingList *list = palloc0(sizeof(FindingList));

	list->context = CurrentMemoryContext;
	return list;
}

/* Add a copy of the finding; it may be made of memory that goes with SPI_finish(). */
void
findings_add(FindingList *list, const Finding *finding)
{
	MemoryContext saved = MemoryContextSwitchTo(list->context);
	Finding *copy = palloc(sizeof(Finding));

	*copy = *finding;
	copy->check_name = copy_text(finding->check_name);
	copy->object = copy_text(finding->object);
	copy->value = copy_text(finding->value);
	copy->threshold = copy_text(finding->threshold);
	copy->message = copy_text(finding->message);
	copy->hint = copy_text(finding->hint);
	copy->fix_sql = copy_text(finding->fix_sql);
	list->findings = lappend(list->findings, copy);
	MemoryContextSwitchTo(saved);
}

Severity
findings_worst(const FindingList *list)
{
	Severity worst = SEVERITY_OK;
	ListCell *cell;

	foreach (cell, list->findings)
		worst = Max(worst, ((const Finding *) lfirst(cell))->severity);
	return worst;
}

static void
emit(FunctionCallInfo fcinfo, const Finding *finding)
{
	const char *texts[] = {finding->check_name, severity_names[finding->severity],
						   finding->object,		finding->value,
						   finding->threshold,	finding->message,
						   finding->hint,		finding->fix_sql};

	result_row_texts(fcinfo, lengthof(texts), texts);
}

/*
 * Emit the findings as rows of type finding, in their order or the worst first. Call it after
 * result_rows_begin().
 */
void
findings_emit(FunctionCallInfo fcinfo, FindingList *list, bool worst_first)
{
	ListCell *cell;

	for (int severity = SEVERITY_CRITICAL; worst_first && severity >= SEVERITY_OK; severity--)
		foreach (cell, list->findings)
			if (((Finding *) lfirst(cell))->severity == (Severity) severity)
				emit(fcinfo, lfirst(cell));
	if (!worst_first)
		foreach (cell, list->findings)
			emit(fcinfo, lfirst(cell));
}
