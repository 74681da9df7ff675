/*
 * pin_schedule.h
 *		Whose schedule has a DAG under a pin that is being made?
 */
#ifndef COMMAND_PIN_SCHEDULE_H
#define COMMAND_PIN_SCHEDULE_H

#include "postgres.h"

#include "airflow/tables.h"
#include "pin/pin_store.h"

extern void choose_schedule(const AirflowTables *tables, PinSpec *spec);
extern void choose_schedule_of_rollback(const AirflowTables *tables, PinSpec *spec);

#endif
