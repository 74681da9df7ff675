/*
 * pin_check.h
 *		Can a pin be held? Said when it is made, rather than when its first run fails.
 */
#ifndef COMMAND_PIN_CHECK_H
#define COMMAND_PIN_CHECK_H

#include "postgres.h"

#include "airflow/tables.h"
#include "pin/pin_store.h"

extern void require_in_force(AirflowTables *tables);
extern void check_rewrite(const AirflowTables *tables, const PinSpec *spec);

#endif
