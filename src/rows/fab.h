/*
 * fab.h
 *		fab_report() as a check.
 */
#ifndef ROWS_FAB_H
#define ROWS_FAB_H

#include "postgres.h"

#include "health/health_check.h"

/* Orphans and duplicates in the FAB tables; at most about 0.5 s. */
extern void check_fab(const Preflight *preflight);

#endif
