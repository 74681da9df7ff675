/*
 * tasks_differ.h
 *		Do two serialized DAGs have the same tasks?
 */
#ifndef DAG_TASKS_DIFFER_H
#define DAG_TASKS_DIFFER_H

#include "postgres.h"

#include "utils/jsonb.h"

extern bool tasks_differ(Jsonb *a, Jsonb *b);

#endif
