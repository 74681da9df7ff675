/*
 * row_lockers.h
 *		Who keeps us from rows of a table.
 */
#ifndef RELATION_ROW_LOCKERS_H
#define RELATION_ROW_LOCKERS_H

#include "postgres.h"

#include "util/guarded.h"

extern void call_for_rows(Oid relation, GuardedCall function, void *arg);

#endif
