/*
 * bad_values.h
 *		Values that a migration cannot turn into JSON, or changes on the way.
 */
#ifndef ROWS_BAD_VALUES_H
#define ROWS_BAD_VALUES_H

#include "rows/probe.h"

extern void expect_bad_values(Probe *probe);
extern int check_bad_values(Probe *probe);

#endif
