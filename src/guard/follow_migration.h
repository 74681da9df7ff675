/*
 * follow_migration.h
 *		Pins follow what a migration of Airflow does to their versions.
 */
#ifndef GUARD_FOLLOW_MIGRATION_H
#define GUARD_FOLLOW_MIGRATION_H

#include "postgres.h"

#include "commands/trigger.h"

extern bool change_is_migrations(TriggerData *trigger);
extern void follow_migration(TriggerData *trigger, const char *dag_id, const char *pinned_hash);

#endif
