/*
 * old_sessions.c
 *		Sessions that may have loaded the library of an earlier release.
 *
 * A session keeps the library that it has loaded. One of an earlier release lacks the function of a
 * trigger that came later, so that each statement that fires it would fail: a scheduler's, say. Whether a
 * session has loaded a library nobody else can see; but one that began after the extension's update has
 * the new one, because the package was installed before.
 */
#include "attach/old_sessions.h"

#include "airflow_pin.h"
#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

/*
 * Raise an error that names them, where there are any: a new trigger on that table of Airflow has to wait
 * for their end.
 */
void
require_new_sessions(const char *table)
{
	OwnerScope scope;
	char *pids = NULL;

	SPI_connect();
	/* as the extension's owner: the caller may not be allowed to see when others began */
	owner_scope_enter(&scope, pin_relation("pinned_version"));
	query_run("SELECT pg_catalog.string_agg(pg_catalog.format('pid %s (%s)', a.pid,"
			  " COALESCE(CASE WHEN a.application_name OPERATOR(pg_catalog.<>) ''"
			  " THEN a.application_name END, a.usename, 'unknown')), ', ' ORDER BY a.pid)"
			  " FROM pg_catalog.pg_stat_activity a"
			  " WHERE a.backend_type OPERATOR(pg_catalog.=) 'client backend'"
			  " AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()"
			  " AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
			  " AND a.backend_start OPERATOR(pg_catalog.<)"
			  " (SELECT pg_catalog.max(u.updated_at) FROM airflow_pin.extension_update u)",
			  NULL, false, 1);
	owner_scope_leave(&scope);
	pids = row_text(0, 1);
	if (pids != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("there are sessions that began before the extension was updated"),
				 errdetail("They may have the library of the earlier release, which lacks what the "
						   "new trigger on table %s calls, so that their statements would fail: "
						   "%s.",
						   table, pids),
				 errhint("Restart Airflow and whatever else keeps connections, such as a pooler, "
						 "and call attach() again. Pins stay in force meanwhile.")));
	SPI_finish();
}
