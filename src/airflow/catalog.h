/*
 * catalog.h
 *		Where Airflow's tables are, and whether our trigger is on them.
 */
#ifndef AIRFLOW_CATALOG_H
#define AIRFLOW_CATALOG_H

#include "postgres.h"

#include "access/attnum.h"
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
#define AIRFLOW_3_3 3

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

/* What is known of one of our triggers on Airflow's tables. */
typedef enum AttachState
{
	ATTACH_MISSING,
	ATTACH_DISABLED,
	ATTACH_PRESENT
} AttachState;

/* A trigger that attach() puts on a table of Airflow. */
typedef struct AttachedTrigger
{
	const char *table;
	const char *function;
	const char *name;
	int16 type;		   /* pg_trigger.tgtype */
	const char *event; /* the same in SQL, but for the level */
} AttachedTrigger;

#define ATTACHED_TRIGGERS 9

extern const AttachedTrigger attached_triggers[ATTACHED_TRIGGERS];
extern DagRunColumns dag_run_columns_cache;

extern Oid pin_relation(const char *name);
extern bool relation_is_table(Oid relation);
extern bool relation_is_subscribed(Oid relation);
extern List *airflow_schemas(void);
extern const char *airflow_attached_schema(void);
extern const char *airflow_schema(void);
extern Oid airflow_dag_run(const char *schema);
extern void airflow_tables(AirflowTables *tables, const char *schema);
extern void airflow_tables_at_once(AirflowTables *tables, const char *schema);
extern bool airflow_has_versions(const char *schema);
extern AttachState airflow_find_trigger(Oid relation, const AttachedTrigger *trigger,
										char **trigger_name);
extern const char *dag_run_missing_column(Oid dag_run);
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
