/*
 * checks.h
 *		The health checks: each adds what it finds to a list.
 *
 * None raises an error for what it cannot look at (no Airflow tables, a locked table, a column of
 * another type): that is a finding of severity unknown.
 */
#ifndef HEALTH_CHECKS_H
#define HEALTH_CHECKS_H

#include "health/finding.h"

/* fab.c: orphans and duplicates in the FAB tables; at most about 1 s. */
extern void check_fab(FindingList *list);

/* bad_rows.c: rows and values that make "airflow db migrate" fail; at most about 1.5 s. */
extern void check_bad_rows(FindingList *list);

#endif
