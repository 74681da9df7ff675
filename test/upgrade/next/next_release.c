/*
 * next_release.c
 *		A function that a later release might add: what test/upgrade builds its next version with.
 */
#include "airflow_pin.h"

#include "fmgr.h"

PG_FUNCTION_INFO_V1(airflow_pin_next_release);

Datum
airflow_pin_next_release(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(fcinfo != NULL);
}
