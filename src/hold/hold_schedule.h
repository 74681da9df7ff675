/*
 * hold_schedule.h
 *		The trigger on "dag", and what makes it act on a row that nobody writes.
 */
#ifndef HOLD_HOLD_SCHEDULE_H
#define HOLD_HOLD_SCHEDULE_H

#include "postgres.h"

#include "airflow/tables.h"
#include "hold/held_row.h"

/* Why a row is looked at although nobody writes it. */
typedef enum SettleReason
{
	SETTLE_PIN,		  /* a pin that holds the schedule has begun, or another one now does */
	SETTLE_GIVE_BACK, /* such a pin has ended */
	SETTLE_RUN		  /* a run has begun or ended */
} SettleReason;

extern void settle_row(const AirflowTables *tables, const char *dag_id, SettleReason reason);

#endif
