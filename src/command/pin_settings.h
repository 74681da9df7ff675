/*
 * pin_settings.h
 *		How a pin holds its DAG: the settings of pin(), and which of them a move keeps.
 */
#ifndef COMMAND_PIN_SETTINGS_H
#define COMMAND_PIN_SETTINGS_H

#include "postgres.h"

#include "fmgr.h"

#include "pin/pin_store.h"

extern void settings_from_arguments(FunctionCallInfo fcinfo, PinSettings *settings, bool keep);
extern char *settings_keep(const char *dag_id, PinSettings *settings);

#endif
