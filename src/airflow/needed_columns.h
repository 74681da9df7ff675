/*
 * needed_columns.h
 *		The columns of Airflow's tables that pins cannot do without.
 */
#ifndef AIRFLOW_NEEDED_COLUMNS_H
#define AIRFLOW_NEEDED_COLUMNS_H

#include "postgres.h"

#include "access/attnum.h"

/* A column that is read or written for a run of a pinned DAG, or to keep its version. */
typedef struct NeededColumn
{
	const char *table;
	const char *name;
	Oid type; /* TEXTOID stands for varchar, too, JSONOID for jsonb; InvalidOid for any */
} NeededColumn;

extern AttrNumber needed_column_number(const char *table, Oid relation, const char *name);
extern const NeededColumn *needed_column_missing(Oid namespace);

#endif
