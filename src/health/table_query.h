/*
 * table_query.h
 *		Query one table of Airflow for a check, without waiting for a lock.
 */
#ifndef HEALTH_TABLE_QUERY_H
#define HEALTH_TABLE_QUERY_H

#include "postgres.h"

#include "health/finding.h"

extern bool may_read_table(FindingList *findings, const char *check_name, const char *table,
						   Oid relation);
extern bool query_airflow_table(FindingList *findings, const char *schema, const char *check_name,
								const char *table, const char *sql);

#endif
