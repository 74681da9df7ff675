/*
 * migration.h
 *		Does the session at hand migrate Airflow's tables?
 */
#ifndef AIRFLOW_MIGRATION_H
#define AIRFLOW_MIGRATION_H

#include "postgres.h"

extern bool transaction_migrates(Oid relation);
extern bool client_migrates(Oid relation);
extern const char *migration_lock_holder(const char **end_sql);

#endif
