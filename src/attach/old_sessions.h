/*
 * old_sessions.h
 *		Sessions that may have loaded the library of an earlier release.
 */
#ifndef ATTACH_OLD_SESSIONS_H
#define ATTACH_OLD_SESSIONS_H

#include "postgres.h"

extern void require_new_sessions(const char *table);

#endif
