/*
 * tables.h
 *		The tables of an Airflow 3, and which one it is.
 */
#ifndef AIRFLOW_TABLES_H
#define AIRFLOW_TABLES_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* Airflow's tables in one schema, locked. All set, or airflow_tables() has raised an error. */
typedef struct AirflowTables
{
	char *schema;
	char *quoted_schema;
	int minor; /* of Airflow 3, AIRFLOW_3_0 ... */
	Oid dag;
	Oid dag_run;
	Oid dag_version;
	Oid dag_code;
	Oid serialized_dag;
	Oid task_instance;
} AirflowTables;

/* AirflowTables.minor */
#define AIRFLOW_3_0 0
#define AIRFLOW_3_1 1
#define AIRFLOW_3_2 2
#define AIRFLOW_3_3 3

extern Oid airflow_dag_run(const char *schema);
extern void airflow_tables(AirflowTables *tables, const char *schema);
extern void airflow_tables_at_once(AirflowTables *tables, const char *schema);
extern void airflow_tables_unlocked(AirflowTables *tables, const char *schema);

#endif
