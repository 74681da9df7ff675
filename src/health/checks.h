/*
 * checks.h
 *		The checks of preflight(): one function each, that adds what it finds to the list.
 *
 * They are called between SPI_connect() and SPI_finish(), with a search_path of pg_catalog
 * only, and in a subtransaction: a check that raises an error counts as unknown. None waits
 * for a lock.
 */
#ifndef HEALTH_CHECKS_H
#define HEALTH_CHECKS_H

#include "postgres.h"

#include "health/finding.h"

typedef void (*HealthCheck)(FindingList *findings);

extern void check_in_flight(FindingList *findings);
extern void check_table_sizes(FindingList *findings);
extern void check_disk_space(FindingList *findings);
extern void check_locks(FindingList *findings);
extern void check_long_transactions(FindingList *findings);
extern void check_autovacuum(FindingList *findings);

/* What the catalogs and settings tell: dependents, invalid indexes, timeouts, slots, ... */
extern void check_catalog(FindingList *findings);

/* Orphans and duplicates in the FAB tables; at most about 1 s. */
extern void check_fab(FindingList *findings);

/* Rows and values that make "airflow db migrate" fail; at most about 1.5 s. */
extern void check_bad_rows(FindingList *findings);

#endif
