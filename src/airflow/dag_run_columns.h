/*
 * dag_run_columns.h
 *		Where the columns are that the trigger on dag_run uses.
 */
#ifndef AIRFLOW_DAG_RUN_COLUMNS_H
#define AIRFLOW_DAG_RUN_COLUMNS_H

#include "postgres.h"

#include "access/attnum.h"

/*
 * The columns of dag_run that the trigger reads or writes; 0 where the table has none of that name
 * and type. "missing" names one that a pin cannot do without, or is NULL.
 */
typedef struct DagRunColumns
{
	Oid relation;
	AttrNumber id;
	AttrNumber dag_id;
	AttrNumber run_id;
	AttrNumber run_type;
	AttrNumber state;
	AttrNumber conf;
	AttrNumber logical_date; /* read from the table, at commit */
	AttrNumber start_date;
	AttrNumber end_date;
	AttrNumber triggered_by;
	AttrNumber creating_job_id;
	AttrNumber bundle_version;
	AttrNumber created_dag_version_id;
	const char *missing;
} DagRunColumns;

extern DagRunColumns dag_run_columns_cache;

extern void dag_run_columns_read(Oid dag_run);
extern void dag_run_columns_forget(Oid relation);

/*
 * The columns of the dag_run table that the trigger fires on. Cached until the table changes.
 */
static inline const DagRunColumns *
dag_run_columns(Oid dag_run)
{
	if (unlikely(dag_run_columns_cache.relation != dag_run))
		dag_run_columns_read(dag_run);
	return &dag_run_columns_cache;
}

#endif
