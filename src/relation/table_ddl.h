/*
 * table_ddl.h
 *		DDL on Airflow's tables that gives up rather than queue behind a long lock.
 */
#ifndef RELATION_TABLE_DDL_H
#define RELATION_TABLE_DDL_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lockdefs.h"

#define TABLE_DDL_MAX_STATEMENTS 40
#define TABLE_DDL_LOCK_TIMEOUT 2000

/* All of the statements or none, as the caller and with its rights. */
typedef struct TableDdl
{
	int count;
	const char *sql[TABLE_DDL_MAX_STATEMENTS];
	const char *tables[TABLE_DDL_MAX_STATEMENTS];
	Oid relations[TABLE_DDL_MAX_STATEMENTS];
	int current;
	int lock_timeout; /* milliseconds */
	TimestampTz until;
	Oid first;	   /* the table to lock before all others, or InvalidOid */
	LOCKMODE lock; /* that the statements take */
	const char *schema;
	void *arg;							   /* for prepare() */
	void (*prepare)(struct TableDdl *ddl); /* adds the statements */
} TableDdl;

extern void table_ddl_add(TableDdl *ddl, const char *table, Oid relation, const char *sql);
extern void table_ddl_run(TableDdl *ddl);

#endif
