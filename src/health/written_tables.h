/*
 * written_tables.h
 *		Which tables do the pending steps of a migration write anew?
 */
#ifndef HEALTH_WRITTEN_TABLES_H
#define HEALTH_WRITTEN_TABLES_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "health/checks.h"

extern List *written_tables(const Preflight *preflight);

#endif
