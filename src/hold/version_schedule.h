/*
 * version_schedule.h
 *		The schedule of a DAG version, read once and kept.
 */
#ifndef HOLD_VERSION_SCHEDULE_H
#define HOLD_VERSION_SCHEDULE_H

#include "postgres.h"

#include "utils/uuid.h"

#include "airflow/tables.h"
#include "dag/version.h"
#include "schedule/schedule.h"

/* What is kept of a version. */
typedef struct VersionSchedule
{
	const char
		*why; /* why it cannot be computed, as a sentence; NULL: it can, and all else is set */
	Schedule schedule;
	const char *summary;
	const char *description;	   /* NULL: not known */
	const char *allowed_run_types; /* JSON */
} VersionSchedule;

extern const VersionSchedule *version_schedule(const AirflowTables *tables,
											   const DagVersion *version);

#endif
