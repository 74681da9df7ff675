/*
 * settings.h
 *		The settings airflow_pin.*
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "postgres.h"

/* 100 GB an hour, in MB/s. */
#define REWRITE_RULE_OF_THUMB (100.0 * 1024 / 3600)

/* What happens to runs of DAGs that no pin names: airflow_pin.unpinned_dags. */
typedef enum UnpinnedDags
{
	UNPINNED_ALLOW,
	UNPINNED_REJECT
} UnpinnedDags;

extern bool airflow_pin_enabled;
extern char *airflow_pin_airflow_schema;
extern int airflow_pin_unpinned_dags;
extern bool airflow_pin_log_decisions;
extern int airflow_pin_min_serialized_dag_update_interval; /* seconds */
extern double airflow_pin_rewrite_mb_per_second;
extern void settings_define(void);

#endif
