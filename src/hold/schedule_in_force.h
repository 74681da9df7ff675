/*
 * schedule_in_force.h
 *		Can the schedule of a version be held, and is it?
 */
#ifndef HOLD_SCHEDULE_IN_FORCE_H
#define HOLD_SCHEDULE_IN_FORCE_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"

extern const char *schedule_obstacle(Oid dag);
extern const char *schedule_problem(const AirflowTables *tables, const DagVersion *version);
extern bool schedules_differ(const AirflowTables *tables, const DagVersion *a, const DagVersion *b);

#endif
