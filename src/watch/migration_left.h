/*
 * migration_left.h
 *		At which revisions the database is, and what a migration has left to do.
 */
#ifndef WATCH_MIGRATION_LEFT_H
#define WATCH_MIGRATION_LEFT_H

#include "postgres.h"

#include "watch/statement.h"
#include "nodes/pg_list.h"

/* A step of migration_plan(). */
typedef struct LeftStep
{
	const char *component;
	const char *revision;
	const char *relation; /* may be NULL */
	const char *operation;
	bool updates_rows;
	double low; /* seconds; 0 where they are not known */
	double high;
} LeftStep;

/* From the committed revisions to the newest release that is known. */
typedef struct MigrationLeft
{
	const char *core_revision; /* NULL: not known, or none */
	const char *fab_revision;
	const char *core_back_from; /* later revision that it was at before; NULL: none, or not known */
	const char *fab_back_from;
	List *steps;		 /* LeftStep */
	const char *problem; /* why the above is not known; NULL: it is */
	const char *hint;
} MigrationLeft;

/* The revision that a session is in. */
typedef struct CurrentRevision
{
	const char *component; /* NULL: not known */
	const char *back_from; /* a later revision, which the database was at before; or NULL */
	const char *not_of; /* the next revision, which leaves the statement's table alone; or NULL */
	const char *revision;
	int steps;
	const LeftStep *step; /* the one that the statement is; NULL: not known */
	int step_number;
	int updates_before; /* updates of all rows of the step's table that precede it */
	int revisions_after;
	double low_after; /* seconds that these take */
	double high_after;
} CurrentRevision;

extern MigrationLeft *migration_left(const char *schema);
extern void current_revision(const MigrationLeft *left, const char *component,
							 const Statement *statement, CurrentRevision *current);
extern int revisions_left(const MigrationLeft *left, double *low, double *high);

#endif
