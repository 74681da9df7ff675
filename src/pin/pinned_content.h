/*
 * pinned_content.h
 *		Is a pinned version still what it was when it was pinned?
 */
#ifndef PIN_PINNED_CONTENT_H
#define PIN_PINNED_CONTENT_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "airflow/tables.h"
#include "dag/version.h"

/* What is kept of a version's content when it is pinned. */
typedef struct PinnedContent
{
	char *dag_hash; /* NULL: unknown */
	char
		*airflow_revision; /* of Airflow's tables then; NULL: unknown, or not to be compared with */
	TimestampTz updated_at; /* serialized_dag.last_updated; DT_NOBEGIN: unknown */
} PinnedContent;

extern void pinned_content_read(const AirflowTables *tables, const DagVersion *version,
								PinnedContent *content);
extern bool pinned_content_changed(const AirflowTables *tables, const PinnedContent *content,
								   const DagVersion *now);

#endif
