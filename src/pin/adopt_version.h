/*
 * adopt_version.h
 *		Task instances are inserted with the version of their rewritten run.
 */
#ifndef ADOPT_VERSION_H
#define ADOPT_VERSION_H

#include "postgres.h"

#include "utils/uuid.h"

#include "util/query.h"

extern void adopt_version_of_run(const char *dag_id, const char *run_id, const pg_uuid_t *requested,
								 const pg_uuid_t *effective);
extern bool version_was_adopted(const char *dag_id, const char *run_id, const pg_uuid_t *effective);
extern void arg_rewritten_runs(QueryArgs *args, const char *dag_id);

#endif
