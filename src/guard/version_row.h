/*
 * version_row.h
 *		A version's row in one of Airflow's tables, as a trigger sees it.
 */
#ifndef GUARD_VERSION_ROW_H
#define GUARD_VERSION_ROW_H

#include "postgres.h"

#include "commands/trigger.h"

#include "pin/pin.h"

/* A table of which a version has one row, and how to see that its content changes. */
typedef struct VersionTable
{
	const char *name;
	const char *version_column;
	const char *content[3]; /* columns; the rest are only times */
	const char *parent;		/* whose row takes this one along when it is deleted */
} VersionTable;

extern const VersionTable *version_table(const char *name);
extern const Pin *version_row_pin(TriggerData *trigger, const VersionTable *table, char **dag_id,
								  bool *for_rollback);

#endif
