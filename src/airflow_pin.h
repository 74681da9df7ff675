/*
 * airflow_pin.h
 *		Names shared by the whole extension.
 */
#ifndef AIRFLOW_PIN_H
#define AIRFLOW_PIN_H

#include "postgres.h"

#define PIN_SCHEMA "airflow_pin"
#define PIN_CHANNEL "airflow_pin"

#endif
