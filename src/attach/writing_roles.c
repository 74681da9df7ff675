/*
 * writing_roles.c
 *		Do settings of the roles that insert runs switch pins off?
 *
 * Who asks is a DBA as a rule, and who inserts runs is Airflow's role: what counts is what its
 * sessions begin with, by settings of the role, of the database, of both, or of the server. What a
 * session of it has set for itself since, and what it began with before somebody changed that, shows
 * nowhere.
 */
#include "writing_roles.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "relation/relation.h"
#include "util/guarded.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* Settings that switch pins off, by the value that does. */
static const struct
{
	const char *name;
	const char *harmful;
} switches[] = {
	{"airflow_pin.enabled", "off"},
	{"session_replication_role", "replica"},
};

/*
 * The roles that can log in here and insert into the table $1, by themselves or as another role that
 * they may become, and with which values their sessions begin; $2: the settings, $3: what the server
 * has them at, $4: is one of these harmful? In the order in which settings overrule each other.
 */
static const char *const settings_sql =
	"WITH here AS (SELECT oid, datname FROM pg_database WHERE datname = current_database()),"
	" wanted AS MATERIALIZED (SELECT s.setrole, s.setdatabase, lower(split_part(c, '=', 1)) AS "
	"name,"
	"  substr(c, strpos(c, '=') + 1) AS value FROM pg_db_role_setting s, unnest(s.setconfig) c"
	"  WHERE s.setdatabase IN (0, (SELECT oid FROM here)) AND lower(split_part(c, '=', 1)) = ANY "
	"($2)),"
	" insertable AS (SELECT c.relowner AS grantee FROM pg_class c WHERE c.oid = $1"
	"  UNION SELECT a.grantee FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1"
	"   AND a.privilege_type = 'INSERT'"
	"  UNION SELECT 'pg_write_all_data'::regrole)"
	" SELECT r.rolname::text, n.name, coalesce(e.value, n.server),"
	"  CASE WHEN e.setrole IS NULL THEN NULL"
	"   WHEN e.setrole = 0 AND e.setdatabase = 0 THEN 'ALTER ROLE ALL'"
	"   WHEN e.setrole = 0 THEN format('ALTER DATABASE %I', here.datname)"
	"   WHEN e.setdatabase = 0 THEN format('ALTER ROLE %I', r.rolname)"
	"   ELSE format('ALTER ROLE %I IN DATABASE %I', r.rolname, here.datname) END"
	" FROM here, pg_roles r, unnest($2, $3) AS n (name, server)"
	" LEFT JOIN LATERAL (SELECT * FROM wanted s WHERE s.name = n.name AND s.setrole IN (0, r.oid)"
	"  ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1) e ON true"
	" WHERE ($4 OR (SELECT count(*) FROM wanted) > 0) AND r.rolcanlogin"
	" AND has_database_privilege(r.oid, here.oid, 'CONNECT')"
	" AND (EXISTS (SELECT FROM insertable i WHERE i.grantee = 0 OR pg_has_role(r.oid, i.grantee, "
	"'MEMBER'))"
	"  OR has_any_column_privilege(r.oid, $1, 'INSERT'))"
	" ORDER BY r.oid = (SELECT relowner FROM pg_class WHERE oid = $1) DESC, r.rolname, n.name";

/* A setting of the server, for guarded_call(). */
typedef struct ServerSetting
{
	const char *name;
	const char *value;
} ServerSetting;

/* GuardedCall: the last value in the configuration files, if they have one. */
static void
read_configuration(void *arg)
{
	ServerSetting *setting = arg;
	QueryArgs args = {0};

	arg_text(&args, setting->name);
	query_run("SELECT setting FROM pg_file_settings WHERE lower(name) = $1 AND error IS NULL"
			  " ORDER BY seqno DESC LIMIT 1",
			  &args, true, 1);
	if (SPI_processed > 0)
		setting->value = row_text(0, 1);
}

/*
 * What the server has a setting at, whatever this session's role or database say: its current value
 * if that is from there, else the last one in the configuration files, else the default. The files
 * are a superuser's to read: for an owner who is none of them the default has to do.
 */
static const char *
server_value(const char *name)
{
	static KeptPlan plan;
	ServerSetting setting = {.name = name};
	QueryArgs args = {0};

	arg_text(&args, name);
	query_run_kept(&plan,
				   "SELECT source IN ('default', 'environment variable', 'configuration file',"
				   " 'command line'), setting, boot_val FROM pg_settings WHERE name = $1",
				   &args, 1);
	if (row_bool(0, 1))
		return row_required_text(0, 2);
	setting.value = row_required_text(0, 3);
	(void) guarded_call(read_configuration, &setting);
	return setting.value;
}

static bool
is_harmful(const char *name, const char *value)
{
	bool enabled;

	if (strcmp(name, switches[0].name) == 0)
		return parse_bool(value, &enabled) && !enabled;
	return pg_strcasecmp(value, switches[1].harmful) == 0;
}

/* The settings of the roles, and what the server has. */
static void
read_settings(Oid dag_run)
{
	static KeptPlan plan;
	Datum names[lengthof(switches)];
	Datum servers[lengthof(switches)];
	bool harmful = false;
	QueryArgs args = {0};

	for (int i = 0; i < (int) lengthof(switches); i++)
	{
		const char *value = server_value(switches[i].name);

		harmful = harmful || is_harmful(switches[i].name, value);
		names[i] = CStringGetTextDatum(switches[i].name);
		servers[i] = CStringGetTextDatum(value);
	}
	arg_datum(&args, OIDOID, ObjectIdGetDatum(dag_run));
	arg_array(&args, TEXTOID, names, NULL, lengthof(switches));
	arg_array(&args, TEXTOID, servers, NULL, lengthof(switches));
	arg_datum(&args, BOOLOID, BoolGetDatum(harmful));
	query_run_kept(&plan, settings_sql, &args, 0);
}

/* What to do about a setting: "statement" is how what has it is altered, NULL for the server. */
static const char *
setting_hint(const char *name, const char *statement)
{
	if (statement != NULL)
		return psprintf("Run: %s RESET %s; sessions that are connected keep it until they "
						"reconnect.",
						statement, name);
	return "Take it out of the server's configuration, and run: SELECT pg_reload_conf();";
}

/*
 * A role whose runs pins would not hold, because of what its sessions begin with, as a sentence, and
 * what to do about it; NULL when there is none. "replica" is asked what would keep pins from being
 * held under session_replication_role = replica. Call it connected to SPI.
 */
const char *
writing_roles_obstacle(Oid dag_run, ReplicaObstacle replica, void *arg, const char **hint)
{
	const char *obstacle = NULL;
	OwnerScope scope;
	SPITupleTable *rows;
	uint64 count;

	owner_scope_enter(&scope, pin_relation("pinned_version"));
	read_settings(dag_run);
	owner_scope_leave(&scope);
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 row = 0; row < count && obstacle == NULL; row++)
	{
		char *role = SPI_getvalue(rows->vals[row], rows->tupdesc, 1);
		char *name = SPI_getvalue(rows->vals[row], rows->tupdesc, 2);
		char *value = SPI_getvalue(rows->vals[row], rows->tupdesc, 3);
		char *statement = SPI_getvalue(rows->vals[row], rows->tupdesc, 4);

		if (!is_harmful(name, value) ||
			(strcmp(name, switches[0].name) != 0 && replica(arg) == NULL))
			continue;
		obstacle = psprintf(
			"Role \"%s\", which may insert runs, has %s = %s in its sessions%s.", role, name, value,
			statement ? psprintf(", by %s SET", statement) : ", as the server has it");
		*hint = setting_hint(name, statement);
	}
	return obstacle;
}
