/*
 * session_view.h
 *		pg_class as another session's transaction sees it, with what it has not committed.
 */
#ifndef WATCH_SESSION_VIEW_H
#define WATCH_SESSION_VIEW_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* A relation. */
typedef struct SeenClass
{
	Oid oid;
	NameData name;
	char kind;
	Oid tablespace;
	Oid file; /* relfilenode */
	Oid toast;
	int columns;
} SeenClass;

extern bool class_seen_by(TransactionId xid, Oid relation, SeenClass *seen);
extern List *indexes_seen_by(TransactionId xid, Oid table);
extern int64 seen_file_bytes(Oid tablespace, Oid file);

#endif
