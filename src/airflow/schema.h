/*
 * schema.h
 *		In which schema Airflow's tables are.
 */
#ifndef AIRFLOW_SCHEMA_H
#define AIRFLOW_SCHEMA_H

#include "postgres.h"

extern const char *airflow_attached_schema(void);
extern const char *airflow_schema(void);
extern const char *schema_or_none(void);
extern const char *health_schema(void);
extern bool airflow_has_versions(const char *schema);

#endif
