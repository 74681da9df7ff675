/*
 * rewritten_runs.h
 *		The runs that this transaction has rewritten.
 */
#ifndef INSTANCES_REWRITTEN_RUNS_H
#define INSTANCES_REWRITTEN_RUNS_H

#include "postgres.h"

#include "access/xact.h"

#include "instances/adoption.h"
#include "instances/changed_run.h"
#include "util/query.h"

typedef struct RewrittenRun
{
	struct RewrittenRun *next;
	SubTransactionId subtransaction;
	const ChangedRun *run;
	Adoption *adoption; /* NULL: no task instance was inserted yet */
} RewrittenRun;

/* Newest first. */
extern RewrittenRun *rewritten_runs;

extern void rewritten_run_add(const ChangedRun *run);
extern Adoption *rewritten_run_adoption(const ChangedRun *run);
extern void arg_rewritten_runs(QueryArgs *args, const char *dag_id);

#endif
