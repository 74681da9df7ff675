/*
 * changed_run.h
 *		A run whose version was changed, and the plans of its two versions.
 */
#ifndef INSTANCES_CHANGED_RUN_H
#define INSTANCES_CHANGED_RUN_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"
#include "tasks/task_plan.h"

/* The row that was inserted, and not an older one that ON CONFLICT led to. */
#define SAME_ROW(id) " AND (" id "::text IS NULL OR id::text = " id ")"

/* Pointers are NULL for what is not known. */
typedef struct ChangedRun
{
	const char *dag_run_id;
	const char *dag_id;
	const char *run_id;
	const char *airflow_schema;
	bool has_requested;
	pg_uuid_t requested;
	const char *requested_commit;
	pg_uuid_t effective;
	const char *effective_hash;
} ChangedRun;

/* What Airflow makes of the version that the run has, and of the one that it asked for. */
typedef struct RunPlans
{
	TaskPlan *wanted;
	TaskPlan *requested; /* NULL: it cannot be told */
} RunPlans;

extern ChangedRun *changed_run_copy(const ChangedRun *run, MemoryContext context);
extern bool changed_run_facts(const ChangedRun *run, RunFacts *facts);
extern void changed_run_check(const AirflowTables *tables, const ChangedRun *run);
extern void changed_run_plan(const AirflowTables *tables, const ChangedRun *run,
							 const RunFacts *facts, MemoryContext context, RunPlans *plans);

#endif
