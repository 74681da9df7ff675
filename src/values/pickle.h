/*
 * pickle.h
 *		Python's pickle of an executor_config, as Airflow stores it in task_instance.
 */
#ifndef VALUES_PICKLE_H
#define VALUES_PICKLE_H

#include "postgres.h"

#include "utils/jsonb.h"

extern bytea *pickle_executor_config(const JsonbValue *encoded, const char **unsupported);

#endif
