/*
 * uuid_v7.h
 *		UUIDs as Airflow makes them.
 */
#ifndef UTIL_UUID_V7_H
#define UTIL_UUID_V7_H

#include "postgres.h"

#include "utils/uuid.h"

extern void uuid_v7(pg_uuid_t *uuid);

#endif
