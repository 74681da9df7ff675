/*
 * adoption.h
 *		What a rewritten run's task instances become while they are inserted.
 */
#ifndef INSTANCES_ADOPTION_H
#define INSTANCES_ADOPTION_H

#include "postgres.h"

#include "access/htup_details.h"

#include "instances/changed_run.h"
#include "instances/derived_columns.h"

/* The numbers of task_instance's columns; 0 where it has none of that name and type. */
typedef struct TaskInstanceColumns
{
	const char *schema;
	int dag_id;
	int run_id;
	int version;
	int task_id;
	int map_index;
	int derived[DERIVED_COLUMNS];
} TaskInstanceColumns;

/* Where a wanted task instance comes from. */
typedef enum RowOrigin
{
	ROW_MISSING,
	ROW_OWN,	/* Airflow inserted it */
	ROW_RENAMED /* Airflow inserted another one, of which it was made */
} RowOrigin;

/* A task of the version that the run has. */
typedef struct AdoptedTask
{
	/* the version that Airflow asked for lacks it; its values are known, and fit into the columns */
	bool is_addable;
	/* a bit for each derived column in which the two versions differ, with values known and fit */
	uint32 differs;
	uint8 *origins; /* RowOrigin of each of its task instances */
} AdoptedTask;

typedef struct Adoption
{
	bool active;	/* false: rows are left alone, as the run is not what was decided */
	RunPlans plans; /* wanted is NULL when it cannot be told now */
	MemoryContext context;
	const ChangedRun *run;

	/* NULL: the rows get the version, and all else at commit */
	AdoptedTask *tasks;
	int next_task; /* no row is missing of the tasks before it ... */
	int next_row;  /* ... and of its rows before this one */
	int rows;	   /* that were let in */
	bool left_empty[DERIVED_COLUMNS];
} Adoption;

extern Adoption *adoption_begin(const ChangedRun *run, TupleDesc desc,
								const TaskInstanceColumns *columns);
extern HeapTuple adoption_change_row(Adoption *adoption, HeapTuple tuple, TupleDesc desc,
									 const TaskInstanceColumns *columns);

#endif
