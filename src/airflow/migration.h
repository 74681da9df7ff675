/*
 * migration.h
 *		Is an "airflow db migrate" running?
 */
#ifndef AIRFLOW_MIGRATION_H
#define AIRFLOW_MIGRATION_H

#include "postgres.h"

extern bool airflow_is_migrating(Oid relation);

#endif
