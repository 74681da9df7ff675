/*
 * in_force.h
 *		Are pins obeyed?
 */
#ifndef ATTACH_IN_FORCE_H
#define ATTACH_IN_FORCE_H

#include "postgres.h"

extern const char *pins_obstacle(Oid dag_run, const char **hint);

#endif
