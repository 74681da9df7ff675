/*
 * compat.h
 *		All differences between the PostgreSQL versions that are supported.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "postgres.h"

#include "storage/lock.h"

#if PG_VERSION_NUM >= 170000
#define lock_held_by_me(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define lock_held_by_me(tag, mode) LockHeldByMe(tag, mode)
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#endif
