/*
 * signal_right.c
 *		Who may end what is in the way.
 *
 * A role that is only a member of pg_monitor sees who blocks a migration, and may not end it. Better
 * to say so beside the statement than to let it fail when every minute counts.
 */
#include "signal_right.h"

#include "miscadmin.h"

#include "util/query.h"

/* As pg_signal_backend() in storage/ipc/signalfuncs.c has it. */
static const char *const signal_sql =
	"SELECT CASE WHEN a.usesysid IS NULL OR r.rolsuper THEN 'a superuser'"
	" WHEN NOT pg_has_role(r.oid, 'USAGE') AND NOT pg_has_role('pg_signal_backend', 'USAGE')"
	" THEN 'a member of pg_signal_backend or of ' || quote_ident(r.rolname) END"
	" FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid WHERE a.pid = $1";

/* As LockGXact() in access/transam/twophase.c has it. */
static const char *const rollback_sql_owner =
	"SELECT quote_ident(p.owner) || ' or a superuser' FROM pg_prepared_xacts p"
	" WHERE $1 = 'ROLLBACK PREPARED ' || quote_literal(p.gid) AND p.owner <> current_user";

static const char *
first_text(const char *sql, QueryArgs *args)
{
	query_run(sql, args, true, 1);
	return SPI_processed > 0 ? row_text(0, 1) : NULL;
}

/*
 * Who may cancel or terminate the session, where the caller may not: "a superuser"; NULL: the caller
 * may, or it is gone. To be called between SPI_connect() and SPI_finish().
 */
const char *
missing_signal_right(int pid)
{
	QueryArgs args = {0};

	if (superuser())
		return NULL;
	arg_int(&args, pid);
	return first_text(signal_sql, &args);
}

/* The same of a prepared transaction and the statement that rolls it back. */
const char *
missing_rollback_right(const char *rollback_sql)
{
	QueryArgs args = {0};

	if (superuser() || rollback_sql == NULL)
		return NULL;
	arg_text(&args, rollback_sql);
	return first_text(rollback_sql_owner, &args);
}
