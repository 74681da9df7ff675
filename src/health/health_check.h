/*
 * health_check.h
 *		A check of preflight() or postflight(): a function that adds what it finds to the list.
 *
 * They are called between SPI_connect() and SPI_finish(), with a search_path of pg_catalog
 * only, and in a subtransaction: a check that raises an error counts as unknown. None waits
 * for a lock.
 */
#ifndef HEALTH_HEALTH_CHECK_H
#define HEALTH_HEALTH_CHECK_H

#include "postgres.h"

#include "health/finding.h"
#include "plan/plan_steps.h"

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

#endif
