/*
 * commit.h
 *		Which commit a version of a DAG has, and on which evidence.
 */
#ifndef DAG_COMMIT_H
#define DAG_COMMIT_H

#include "postgres.h"

#include "airflow/tables.h"
#include "dag/version.h"

/* A version and its commit, as one snapshot has them. */
typedef struct VersionCommit
{
	DagVersion version;
	bool is_latest;
	char *commit; /* NULL: not versioned */
	char *seen;	  /* what new runs, or runs of the version, have instead; NULL: nothing else */
	char *in_dag; /* dag.bundle_version */
} VersionCommit;

/* What there is to be said for a commit that somebody names with a version. */
typedef enum CommitEvidence
{
	COMMIT_OF_VERSION, /* the version was parsed at it */
	COMMIT_OF_RUNS,	   /* runs of the version had it, and nothing speaks against it */
	COMMIT_UNSETTLED,  /* runs had it, all in the interval in which Airflow does not look */
	COMMIT_NOT_PARSED, /* DAG and runs have it, but Airflow has not looked yet whose it is */
	COMMIT_OF_LATER,   /* it is the commit of a later version, or of runs of one */
	COMMIT_UNKNOWN	   /* the version never had it */
} CommitEvidence;

extern bool source_is_of_parse(const AirflowTables *tables, const char *dag_id);
extern char *new_run_commit(const AirflowTables *tables, const char *dag_id,
							const DagVersion *latest);
extern bool latest_commit(const AirflowTables *tables, const char *dag_id, VersionCommit *found);
extern bool numbered_commit(const AirflowTables *tables, const char *dag_id, int32 number,
							VersionCommit *found);
extern bool version_at_commit(const AirflowTables *tables, const char *dag_id, const char *commit,
							  VersionCommit *found);
extern CommitEvidence commit_evidence(const AirflowTables *tables, const char *dag_id,
									  const VersionCommit *version, const char *commit,
									  int32 *later);

#endif
