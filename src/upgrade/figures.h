/*
 * figures.h
 *		Figures of an Airflow that are worth comparing before and after a migration.
 */
#ifndef UPGRADE_FIGURES_H
#define UPGRADE_FIGURES_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "health/finding.h"

/* What a change of a figure means. */
typedef enum FigureRule
{
	FIGURE_NOT_LESS,	/* something is lost */
	FIGURE_NOT_MORE,	/* something is broken */
	FIGURE_NOT_HALVED,	/* it is slower */
	FIGURE_NOT_DOUBLED, /* it fails, or waits, more */
} FigureRule;

typedef struct FigureKind
{
	const char *name;
	FigureRule rule;
	const char *what; /* "DAGs that are not stale" */
	const char *hint;
} FigureKind;

typedef struct Figure
{
	const FigureKind *kind;
	const char *object; /* a table, or NULL */
	int64 value;
	bool estimated;
	bool unknown; /* it could not be read, which is a finding; value means nothing */
} Figure;

extern const FigureKind *figure_kind(const char *name);
extern List *collect_figures(const char *schema, FindingList *unknown);

#endif
