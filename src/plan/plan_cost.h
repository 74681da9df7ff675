/*
 * plan_cost.h
 *		How long a step of a migration takes, from the size of its table.
 */
#ifndef PLAN_PLAN_COST_H
#define PLAN_PLAN_COST_H

#include "postgres.h"

#include "plan/plan_steps.h"

/* What is known of a table without a lock on it. */
typedef struct TableSize
{
	Oid relation; /* InvalidOid: it does not exist yet */
	bool known;	  /* false: it was never analyzed */
	double rows;
	double heap_bytes;
	double total_bytes; /* with indexes and TOAST */
} TableSize;

/* From-to, in seconds. */
typedef struct Estimate
{
	double low;
	double high;
} Estimate;

extern double plan_index_seconds(double rows, int index_columns);
extern Estimate plan_cost(const PlanEntry *step, StepCost cost, const TableSize *table,
						  const TableSize *statement);

#endif
