/*
 * bad_values.h
 *		Values that a migration cannot turn into JSON, or changes on the way.
 */
#ifndef HEALTH_BAD_VALUES_H
#define HEALTH_BAD_VALUES_H

#include "health/probe.h"

extern void expect_bad_values(Probe *probe);
extern int check_bad_values(Probe *probe);

#endif
