/*
 * find_version.h
 *		The DAG, or the version, that a command is about; or the error that says which there are.
 */
#ifndef COMMAND_FIND_VERSION_H
#define COMMAND_FIND_VERSION_H

#include "postgres.h"

#include "airflow/tables.h"
#include "compat.h"
#include "dag/commit.h"
#include "dag/version.h"
#include "pin/pin_store.h"

pg_noreturn extern void raise_no_such_dag(const AirflowTables *tables, const char *dag_id);
extern void raise_no_such_version(const AirflowTables *tables, const char *dag_id, int32 number);
extern void require_latest(const AirflowTables *tables, const char *dag_id, DagVersion *latest);
extern void require_version(const AirflowTables *tables, const char *dag_id, int32 number,
							DagVersion *version);
extern char *parsed_commits(const AirflowTables *tables, const char *dag_id);
extern char *await_commit_call(const char *dag_id, const char *commit);
extern char *commit_problem(CommitEvidence evidence, const VersionCommit *found, int32 later);
extern void notice_commit(const AirflowTables *tables, const PinSpec *spec,
						  const VersionCommit *found);
extern void notice_callbacks(const PinSpec *spec, const char *row_commit);

#endif
