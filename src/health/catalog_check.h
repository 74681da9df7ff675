/*
 * catalog_check.h
 *		A check that is one query over PostgreSQL's catalogs and views.
 */
#ifndef HEALTH_CATALOG_CHECK_H
#define HEALTH_CATALOG_CHECK_H

#include "postgres.h"

#include "health/finding.h"
#include "util/query.h"

/*
 * The query has a row for each thing that is found: severity, object, value, threshold, message,
 * SQL that would mend it. It takes no lock on Airflow's tables.
 */
typedef struct CatalogCheck
{
	const char *name;
	const char *sql;
	const char *none; /* the message when nothing is found */
	const char *hint;
} CatalogCheck;

extern void run_catalog_checks(FindingList *findings, const CatalogCheck *checks, int count,
							   QueryArgs *args);

#endif
