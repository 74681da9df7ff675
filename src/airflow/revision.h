/*
 * revision.h
 *		Which revision of its migrations a database is at.
 */
#ifndef AIRFLOW_REVISION_H
#define AIRFLOW_REVISION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#define CORE_VERSION_TABLE "alembic_version"
#define FAB_VERSION_TABLE "alembic_version_fab"

extern bool revisions_exist(const char *schema, const char *table);
extern List *read_revisions(const char *schema, const char *table);

#endif
