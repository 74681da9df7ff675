/*
 * find_version.c
 *		The DAG, or the version, that a command is about; or the error that says which there are.
 */
#include "find_version.h"

#include "utils/builtins.h"

/* Raise the error for a DAG that dag does not have. */
void
raise_no_such_dag(const AirflowTables *tables, const char *dag_id)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("DAG \"%s\" does not exist", dag_id),
					errdetail("Table \"%s.dag\" has no row for it.", tables->schema),
					errhint("Check the spelling, and that the DAG has been parsed.")));
}

/* The latest version of a DAG; raises an error when there is none. */
void
require_latest(const AirflowTables *tables, const char *dag_id, DagVersion *latest)
{
	DagSource source;

	if (!dag_source(tables, dag_id, &source))
		raise_no_such_dag(tables, dag_id);
	if (!version_latest(tables, dag_id, latest))
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("DAG \"%s\" has no version", dag_id),
						errdetail("Table \"%s.dag_version\" has no row for it.", tables->schema),
						errhint("Wait until the DAG processor has parsed it.")));
}

void
raise_no_such_version(const AirflowTables *tables, const char *dag_id, int32 number)
{
	char *existing = version_numbers(tables, dag_id);

	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND), errmsg("DAG \"%s\" has no version %d", dag_id, number),
			 errdetail("Existing versions: %s.", existing),
			 errhint("Pin one of these, or leave the number out for the latest.")));
}

/* The version of that number; raises an error that tells which exist. */
void
require_version(const AirflowTables *tables, const char *dag_id, int32 number, DagVersion *version)
{
	if (!version_by_number(tables, dag_id, number, version))
		raise_no_such_version(tables, dag_id, number);
}

/* "CALL airflow_pin.await_commit('d', 'c');" */
char *
await_commit_call(const char *dag_id, const char *commit)
{
	return psprintf("CALL airflow_pin.await_commit(%s, %s);", quote_literal_cstr(dag_id),
					quote_literal_cstr(commit));
}

/* What is parsed of the DAG, as whole sentences, for whoever misses a commit. */
char *
parsed_commits(const AirflowTables *tables, const char *dag_id)
{
	VersionCommit latest;
	DagSource source;

	if (!dag_source(tables, dag_id, &source))
		return psprintf("Table \"%s.dag\" has no row for the DAG.", tables->schema);
	if (!latest_commit(tables, dag_id, &latest))
		return psprintf("Table \"%s.dag_version\" has no row for the DAG.", tables->schema);
	if (latest.commit == NULL && latest.seen == NULL)
		return psprintf("Its latest version is %d, which has no commit: the DAG is not versioned.",
						latest.version.number);
	return psprintf(
		"Its latest version is %d, at %s%s%s%s.", latest.version.number,
		latest.commit ? psprintf("commit \"%s\"", latest.commit) : "no commit",
		latest.seen ? ". Airflow gives new runs commit \"" : "", latest.seen ? latest.seen : "",
		latest.seen ? "\", and has not looked yet whether that changes the version" : "");
}

/* Why the version is not pinned at the commit that was named with it. */
char *
commit_problem(CommitEvidence evidence, const VersionCommit *found, int32 later)
{
	switch (evidence)
	{
		case COMMIT_OF_LATER:
			return psprintf("It is the commit of version %d. Airflow gives runs the DAG's newest "
							"commit even before it is parsed.",
							later);
		case COMMIT_UNSETTLED:
			return psprintf("Runs of version %d have it, but from a time when Airflow did not look "
							"whether it changes the DAG: it may be a commit of the next version.",
							found->version.number);
		default:
			return pstrdup("Neither a run of that version nor the version itself has it.");
	}
}

/* What is to be done about a commit that was seen of a version, and is not pinned. */
static char *
hint_of_commit(const PinSpec *spec, const VersionCommit *found, CommitEvidence evidence)
{
	if (found->is_latest)
		return psprintf("Wait for it before you pin: %s",
						await_commit_call(spec->dag_id, found->seen));
	if (evidence == COMMIT_OF_RUNS)
		return psprintf("If it is right, name it: SELECT airflow_pin.pin(%s, %d, bundle_version => "
						"%s);",
						quote_literal_cstr(spec->dag_id), found->version.number,
						quote_literal_cstr(found->seen));
	return pstrdup("Nothing needs to be done.");
}

/*
 * Say which other commit was seen of a version that is pinned at the commit that is proven.
 */
void
notice_commit(const AirflowTables *tables, const PinSpec *spec, const VersionCommit *found)
{
	int32 later = 0;
	CommitEvidence evidence;
	char *detail;

	if (found->seen == NULL)
		return;
	evidence = commit_evidence(tables, spec->dag_id, found, found->seen, &later);
	if (found->is_latest)
		detail =
			pstrdup("Airflow gives new runs the latter, and has not looked yet whether it changes "
					"the version.");
	else if (evidence == COMMIT_OF_RUNS)
		detail =
			pstrdup("Its newest run has the latter. Nothing shows that Airflow had looked then "
					"whether it changes the version.");
	else
		detail =
			psprintf("Its newest run has the latter. %s", commit_problem(evidence, found, later));
	ereport(NOTICE,
			(errmsg("version %d of DAG \"%s\" is pinned at %s, not at commit \"%s\"",
					found->version.number, spec->dag_id,
					found->commit ? psprintf("commit \"%s\"", found->commit) : "no commit",
					found->seen),
			 errdetail("%s", detail), errhint("%s", hint_of_commit(spec, found, evidence))));
}

/*
 * Say where callbacks of tasks will be at another commit than the tasks: the scheduler takes it from
 * the version's row (airflow/jobs/scheduler_job_runner.py).
 */
void
notice_callbacks(const PinSpec *spec, const char *row_commit)
{
	if (strcmp(spec->settings.on_mismatch, "rewrite") != 0 || spec->commit == NULL ||
		row_commit == NULL || strcmp(spec->commit, row_commit) == 0)
		return;
	ereport(
		NOTICE,
		(errmsg("callbacks that Airflow's scheduler sends for tasks of version %d of DAG \"%s\" "
				"run at commit \"%s\"",
				spec->version->number, spec->dag_id, row_commit),
		 errdetail("The tasks run at commit \"%s\". Airflow takes the commit of those callbacks "
				   "from dag_version.",
				   spec->commit)));
}
