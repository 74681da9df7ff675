/*
 * rollback_version.h
 *		Is a version the one that the next rollback() goes to?
 */
#ifndef GUARD_ROLLBACK_VERSION_H
#define GUARD_ROLLBACK_VERSION_H

#include "postgres.h"

#include "utils/uuid.h"

#include "pin/pin.h"

extern const Pin *rollback_version_pin(const char *schema, const char *dag_id,
									   const pg_uuid_t *version);

#endif
