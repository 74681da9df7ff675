/*
 * role_setting.c
 *		What settings are in the sessions of another role.
 */
#include "role_setting.h"

#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "airflow/relations.h"
#include "airflow/revision.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* In the order in which settings overrule each other; what the client sets itself is not known. */
static const char *const setting_sql =
	"SELECT substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s, unnest(s.setconfig) c"
	" WHERE s.setrole IN (0, $1) AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d"
	"  WHERE d.datname = current_database())) AND lower(split_part(c, '=', 1)) = $2"
	" ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1";

/*
 * What is set for the role or the database: the value with which the role's sessions begin. NULL
 * when nothing is. The setting's name is in lower case. In the SPI procedure's memory; needs a
 * search_path of pg_catalog.
 */
static const char *
role_setting(Oid role, const char *name)
{
	QueryArgs args = {0};

	arg_datum(&args, OIDOID, ObjectIdGetDatum(role));
	arg_text(&args, name);
	query_run(setting_sql, &args, true, 1);
	return SPI_processed > 0 ? row_text(0, 1) : NULL;
}

/* The role's TimeZone; without one of its own, or of the database, that this session began with. */
const char *
role_time_zone(Oid role)
{
	const char *zone = role_setting(role, "timezone");

	return zone ? zone : GetConfigOptionResetString("TimeZone");
}

/*
 * The role's search_path; without one of its own, or of the database, that this session began with.
 */
const char *
role_search_path(Oid role)
{
	const char *path = role_setting(role, "search_path");

	return path ? path : GetConfigOptionResetString("search_path");
}

/* Do the role's transactions begin read only, by a setting of its own or of the database? */
bool
role_is_read_only(Oid role)
{
	const char *setting = role_setting(role, "default_transaction_read_only");
	bool read_only;

	return setting != NULL && parse_bool(setting, &read_only) && read_only;
}

/*
 * Is that TimeZone UTC, so that ALTER TABLE turns timestamp into timestamptz without a rewrite?
 * The rule is TimestampTimestampTzRequiresRewrite()'s.
 */
bool
time_zone_is_utc(const char *name)
{
	pg_tz *zone = pg_tzset(name);
	long offset;

	return zone != NULL && pg_get_timezone_offset(zone, &offset) && offset == 0;
}

/* Does the role that owns alembic_version, which is the one to migrate, work in UTC? */
bool
migrates_in_utc(const char *schema)
{
	Oid versions = airflow_relation_oid(schema, CORE_VERSION_TABLE);

	return OidIsValid(versions) && time_zone_is_utc(role_time_zone(relation_owner(versions)));
}
