/*
 * checks.h
 *		The checks of preflight() and postflight(): one function each, that adds what it finds to
 *		the list.
 *
 * They are called between SPI_connect() and SPI_finish(), with a search_path of pg_catalog
 * only, and in a subtransaction: a check that raises an error counts as unknown. None waits
 * for a lock.
 */
#ifndef HEALTH_CHECKS_H
#define HEALTH_CHECKS_H

#include "postgres.h"

#include "health/finding.h"
#include "health/plan_steps.h"

/* What all checks of one call have in common. */
typedef struct Preflight
{
	FindingList *findings;
	const char *schema;		 /* of Airflow's tables */
	const char *target_name; /* as the caller wrote it, or NULL */
	bool target_known;
	const Release *target; /* the known release that stands for it, else the newest known */
	bool until_critical;   /* what comes after a critical finding does not matter */
} Preflight;

/*
 * A component of Airflow with a heartbeat within this time is alive: twice the 30 seconds after
 * which Airflow itself takes one for dead by default (scheduler_health_check_threshold and its
 * kin).
 */
#define ALIVE "1 min"

typedef void (*HealthCheck)(const Preflight *preflight);

typedef struct NamedCheck
{
	const char *name; /* what a check that fails is reported as */
	HealthCheck check;
} NamedCheck;

extern void run_health_checks(const Preflight *preflight, const NamedCheck *checks, int count);
extern void add_error_finding(FindingList *findings, const char *check_name, Severity severity,
							  const ErrorData *error);
extern bool sessions_visible(FindingList *findings, const char *check_name);

extern void check_revisions(const Preflight *preflight);
extern void check_in_flight(const Preflight *preflight);

/* Is Airflow stopped: DAGs paused, no heartbeats, no sessions? */
extern void check_stopped(const Preflight *preflight);

extern void check_locks(const Preflight *preflight);
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

/* What else the catalogs and settings tell: owners, timeouts, slots, ... */
extern void check_catalog(const Preflight *preflight);

/* What is broken in the schema: invalid indexes, unvalidated constraints. */
extern void check_schema(const Preflight *preflight);

/* Orphans and duplicates in the FAB tables; at most about 0.5 s. */
extern void check_fab(const Preflight *preflight);

/* Rows and values that make "airflow db migrate" fail; at most about 0.8 s. */
extern void check_bad_rows(const Preflight *preflight);

/* All that postflight() looks at besides its baseline. */
extern void check_after_migration(const Preflight *preflight);

#endif
