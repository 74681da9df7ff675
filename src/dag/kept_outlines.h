/*
 * kept_outlines.h
 *		The outlines of serialized DAGs that the transaction has read last.
 */
#ifndef DAG_KEPT_OUTLINES_H
#define DAG_KEPT_OUTLINES_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/jsonb.h"

/* A row of serialized_dag as one transaction has written it. */
typedef struct DagRow
{
	Oid table;
	char *hash; /* for one that has moved since, with its table (CLUSTER) */
	TransactionId xmin;
	ItemPointerData ctid;
} DagRow;

extern Jsonb *kept_outline(const DagRow *row);
extern Jsonb *keep_outline(const DagRow *row, Jsonb *outline);

#endif
