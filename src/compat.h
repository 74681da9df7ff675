/*
 * compat.h
 *		All differences between the PostgreSQL versions that are supported.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "postgres.h"

#include "common/relpath.h"
#include "storage/lock.h"

#if PG_VERSION_NUM >= 170000
#define lock_held_by_me(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define lock_held_by_me(tag, mode) LockHeldByMe(tag, mode)
#endif

/* Needs common/jsonapi.h and mb/pg_wchar.h. */
#if PG_VERSION_NUM >= 170000
#define json_lex_context(text, length)                                                             \
	makeJsonLexContextCstringLen(NULL, text, length, PG_UTF8, true)
#else
#define json_lex_context(text, length)                                                             \
	makeJsonLexContextCstringLen(unconstify(char *, text), length, PG_UTF8, true)
#endif

/* A scan of all rows. Needs access/tableam.h. */
#if PG_VERSION_NUM >= 190000
#define begin_table_scan(table, snapshot) table_beginscan(table, snapshot, 0, NULL, 0)
#else
#define begin_table_scan(table, snapshot) table_beginscan(table, snapshot, 0, NULL)
#endif

/* Path of the main fork of a permanent relation's file. */
#if PG_VERSION_NUM >= 180000
#define file_path(database, tablespace, file)                                                      \
	pstrdup(GetRelationPath(database, tablespace, file, INVALID_PROC_NUMBER, MAIN_FORKNUM).str)
#elif PG_VERSION_NUM >= 170000
#define file_path(database, tablespace, file)                                                      \
	GetRelationPath(database, tablespace, file, INVALID_PROC_NUMBER, MAIN_FORKNUM)
#else
#define file_path(database, tablespace, file)                                                      \
	GetRelationPath(database, tablespace, file, InvalidBackendId, MAIN_FORKNUM)
#endif

/* Of pg_constraint k, in SQL: rows are held to it. */
#if PG_VERSION_NUM >= 180000
#define CONSTRAINT_IS_ENFORCED "k.conenforced"
#else
#define CONSTRAINT_IS_ENFORCED "true"
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#endif
