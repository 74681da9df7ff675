/*
 * catalog_check.c
 *		A check that is one query over PostgreSQL's catalogs and views.
 */
#include "catalog_check.h"

static void
run_catalog_check(FindingList *findings, const CatalogCheck *check, QueryArgs *args)
{
	query_run(check->sql, args, true, 0);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Finding finding = {.check_name = check->name};

		finding.severity = severity_of_name(row_required_text(row, 1));
		finding.object = row_text(row, 2);
		finding.value = row_text(row, 3);
		finding.threshold = row_text(row, 4);
		finding.message = row_text(row, 5);
		if (finding.severity > SEVERITY_INFO) /* else there is nothing to do */
		{
			finding.hint = check->hint;
			finding.fix_sql = row_text(row, 6);
		}
		findings_add(findings, &finding);
	}
	if (SPI_processed == 0)
		findings_add(findings, &(Finding){.check_name = check->name, .message = check->none});
}

/* Run the checks, all with the same arguments. */
void
run_catalog_checks(FindingList *findings, const CatalogCheck *checks, int count, QueryArgs *args)
{
	for (int i = 0; i < count; i++)
		run_catalog_check(findings, &checks[i], args);
}
