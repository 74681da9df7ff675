/*
 * in_force.h
 *		Are pins obeyed?
 */
#ifndef PIN_IN_FORCE_H
#define PIN_IN_FORCE_H

#include "postgres.h"

extern const char *pins_obstacle(Oid dag_run, const char **hint);

#endif
