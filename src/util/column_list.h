/*
 * column_list.h
 *		The columns of a table, for generated SQL.
 */
#ifndef UTIL_COLUMN_LIST_H
#define UTIL_COLUMN_LIST_H

#include "postgres.h"

/* Is a column to be left out? */
typedef bool (*ColumnFilter)(const char *column);

extern char *column_list(Oid relation, const char *prefix, ColumnFilter left_out);

#endif
