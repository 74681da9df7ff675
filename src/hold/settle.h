/*
 * settle.h
 *		At commit: rows of "dag" that follow from what the transaction did.
 */
#ifndef HOLD_SETTLE_H
#define HOLD_SETTLE_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"

#include "airflow/dag_run_columns.h"
#include "pin/pin.h"

extern void settle_after_insert(const Pin *pin, Oid dag_run, const char *dag_id, RunType run_type);
extern void settle_after_update(const DagRunColumns *columns, TupleDesc desc, HeapTuple before,
								HeapTuple after);

#endif
