/*
 * plan_steps.h
 *		What is known of Airflow's migrations: releases, revisions, and the steps of each.
 */
#ifndef PLAN_PLAN_STEPS_H
#define PLAN_PLAN_STEPS_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef enum Component
{
	COMPONENT_CORE,
	COMPONENT_FAB
} Component;

/* What a step's duration depends on; plan_cost.c has the rates. */
typedef enum StepCost
{
	COST_CATALOG,		 /* nothing but the catalog changes */
	COST_SCAN,			 /* reads the table */
	COST_INDEX,			 /* builds indexes */
	COST_FOREIGN_KEY,	 /* validates a foreign key of every row */
	COST_REFERENCED,	 /* is looked up for a new foreign key */
	COST_REWRITE,		 /* writes the table and its indexes anew */
	COST_INSERT,		 /* is read, each row inserted into another table */
	COST_DELETE,		 /* deletes every row */
	COST_UPDATE,		 /* updates every row, in one statement */
	COST_JOIN,			 /* is joined for an UPDATE */
	COST_UPDATE_BATCHES, /* updates every row, a statement for each some thousand of rows */
	COST_CLIENT_ROWS,	 /* updates every row, a statement a row */
	COST_CLIENT_PAGES	 /* the same for rows with a value, read page by page with OFFSET */
} StepCost;

#define STEP_REWRITES 0x01
#define STEP_REWRITES_UNLESS_UTC 0x02 /* only where the migrating session's TimeZone is not UTC */
#define STEP_SCANS 0x04
#define STEP_UPDATES_ROWS 0x08

/* Airflow as of one release, with the FAB provider of its time. */
typedef struct Release
{
	const char *name;
	const char *core_revision;
	const char *fab_revision; /* NULL: FAB keeps no revision */
	const char *fab_provider;
} Release;

/* The FAB provider that releases from one on are installed with. */
typedef struct FabProvider
{
	const char *release;
	const char *version;
	bool fails_on_airflow2; /* on a database of Airflow 2, when core is migrated already */
} FabProvider;

/*
 * A revision ("revision" is set), or one of its steps, which follow it. A migration's script may
 * differ between releases of Airflow: each form is an entry, with the first release that has it.
 */
typedef struct PlanEntry
{
	Component component;
	const char *revision;
	const char *version; /* of Airflow or of the FAB provider, as its authors wrote it */
	const char *release;

	const char *relation; /* NULL: the revision changes nothing */
	const char *operation;
	const char *lock_mode;
	StepCost cost;
	int flags;
	int index_columns;	 /* key columns of the indexes that the step builds, together */
	const char *renamed; /* the relation's name from now on, or NULL */
} PlanEntry;

extern const Release *plan_release(const char *name);
extern const Release *plan_target(const char *name, bool *known);
extern const Release *plan_known_target(const char *name);
extern bool plan_version_before(const char *name, const char *other);
extern const char *plan_releases_text(void);
extern const Release *plan_release_at(const char *revision);
extern const Release *plan_first_release(void);
extern const char *plan_release_of(Component component, const char *revision);
extern const char *plan_releases_with(Component component, const char *revision);
extern const FabProvider *plan_fab_provider(const char *release);
extern const char *plan_failing_providers(void);
extern int plan_position(Component component, const char *revision);
extern List *plan_revisions(Component component, int after, const Release *target);
extern const PlanEntry *plan_next_step(const PlanEntry *entry);

#endif
