/*
 * diversions.h
 *		The versions whose changes this transaction writes to others.
 */
#ifndef GUARD_DIVERSIONS_H
#define GUARD_DIVERSIONS_H

#include "postgres.h"

#include "utils/uuid.h"

extern void diversion_add(const pg_uuid_t *version, const pg_uuid_t *next);
extern bool diversion_find(const pg_uuid_t *version, pg_uuid_t *next);
extern bool diversions_exist(void);

#endif
