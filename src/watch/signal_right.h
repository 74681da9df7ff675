/*
 * signal_right.h
 *		Who may end what is in the way.
 */
#ifndef WATCH_SIGNAL_RIGHT_H
#define WATCH_SIGNAL_RIGHT_H

#include "postgres.h"

extern const char *missing_signal_right(int pid);
extern const char *missing_rollback_right(const char *rollback_sql);

#endif
