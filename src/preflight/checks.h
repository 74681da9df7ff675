/*
 * checks.h
 *		The checks of preflight(): one function each, that adds what it finds to the list.
 *
 * Those that read rows are in rows/. How they are called: health/health_check.h.
 */
#ifndef PREFLIGHT_CHECKS_H
#define PREFLIGHT_CHECKS_H

#include "postgres.h"

#include "health/health_check.h"

extern void check_revisions(const Preflight *preflight);
extern void check_in_flight(const Preflight *preflight);

/* Is Airflow stopped: DAGs paused, no heartbeats, no sessions? */
extern void check_stopped(const Preflight *preflight);

/* Callbacks of failed runs that nobody has called yet. */
extern void check_callbacks(const Preflight *preflight);

extern void check_locks(const Preflight *preflight);
extern void check_migration_lock(const Preflight *preflight);
extern void check_long_transactions(const Preflight *preflight);
extern void check_autovacuum(const Preflight *preflight);
extern void check_table_sizes(const Preflight *preflight);

/* What earlier migrations and clean-ups have set aside. */
extern void check_leftovers(const Preflight *preflight);

extern void check_disk_space(const Preflight *preflight);
extern void check_sequences(const Preflight *preflight);

/* What hangs on Airflow's tables that is not Airflow's: views, triggers, publications, ... */
extern void check_dependents(const Preflight *preflight);

/* Names of what the migration creates that are taken already. */
extern void check_names(const Preflight *preflight);

/* Names of what the migration drops or needs that nothing has. */
extern void check_needed_names(const Preflight *preflight);

/* What else the catalogs and settings tell: owners, timeouts, slots, ... */
extern void check_catalog(const Preflight *preflight);

/* What is broken in the schema: invalid indexes, unvalidated constraints. */
extern void check_schema(const Preflight *preflight);

#endif
