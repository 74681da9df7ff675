/*
 * relation_size.h
 *		How large tables are, and how long a rewrite of them takes, without locks.
 */
#ifndef RELATION_RELATION_SIZE_H
#define RELATION_RELATION_SIZE_H

#include "postgres.h"

#include "fmgr.h"

/* Bytes of all forks; what is not a table, or vanished, has none. */
typedef struct RelationSize
{
	int64 heap;
	int64 indexes;
	int64 toast;		  /* its index included */
	int64 estimated_rows; /* -1: not known, the table was never analyzed */
} RelationSize;

extern Datum call_for_relation(PGFunction function, Oid relation, bool *isnull);
extern int64 fork_bytes(const char *first_segment);
extern char *relation_file_path(Oid relation);
extern int64 relation_file_bytes(Oid relation);
extern RelationSize relation_size(Oid relation);
extern RelationSize table_tree_size(Oid table);
extern int64 relation_total_bytes(const RelationSize *size);
extern char *pretty_bytes(int64 bytes);
extern double rewrite_seconds(int64 bytes);

#endif
