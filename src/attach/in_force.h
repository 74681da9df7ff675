/*
 * in_force.h
 *		Are pins obeyed?
 */
#ifndef ATTACH_IN_FORCE_H
#define ATTACH_IN_FORCE_H

#include "postgres.h"

extern const char *pins_obstacle(const char *schema, const char **hint);
extern const char *pins_doubt(const char *schema, const char **hint);

#endif
