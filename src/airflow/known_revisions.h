/*
 * known_revisions.h
 *		Which revisions of Airflow's core tables are known, and in which order they come.
 */
#ifndef AIRFLOW_KNOWN_REVISIONS_H
#define AIRFLOW_KNOWN_REVISIONS_H

#include "postgres.h"

extern bool core_revision_is_known(const char *revision);
extern bool core_revision_before(const char *revision, const char *other);
extern const char *newest_core_revision(void);

#endif
