/*
 * rule.c
 *		Is a rule about the tables as they are here, and its SQL with their names filled in.
 */
#include "rule.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* The text with what stands for the schema and for the rule's condition replaced. */
char *
rule_text(const Probe *probe, const char *text, const char *bad)
{
	StringInfoData result;

	initStringInfo(&result);
	while (*text != '\0')
	{
		if (strncmp(text, "{s}", 3) == 0)
		{
			appendStringInfoString(&result, probe->quoted_schema);
			text += 3;
		}
		else if (bad != NULL && strncmp(text, "{bad}", 5) == 0)
		{
			appendStringInfoString(&result, rule_text(probe, bad, NULL));
			text += 5;
		}
		else
			appendStringInfoChar(&result, *text++);
	}
	return result.data;
}

/* OID of a type of PostgreSQL's own. Its name as format_type() has it depends on settings. */
static Oid
catalog_type(const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
						   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));
}

/* Does "table.column" or "table.column:type", perhaps with a "!" before it, hold? */
static bool
condition_holds(const Probe *probe, char *condition)
{
	bool negated = condition[0] == '!';
	char *table = condition + (negated ? 1 : 0);
	char *column = strchr(table, '.');
	char *type;
	Oid relation;
	AttrNumber number;

	*column++ = '\0';
	if ((type = strchr(column, ':')) != NULL)
		*type++ = '\0';
	relation = get_relname_relid(table, probe->namespace);
	number = OidIsValid(relation) ? get_attnum(relation, column) : InvalidAttrNumber;
	return (number != InvalidAttrNumber &&
			(type == NULL || get_atttype(relation, number) == catalog_type(type))) != negated;
}

/* Do all the conditions, separated by blanks, hold? NULL: yes. */
bool
probe_has(const Probe *probe, const char *conditions)
{
	char *rest = conditions != NULL ? pstrdup(conditions) : NULL;

	for (char *word = rest ? strtok_r(rest, " ", &rest) : NULL; word != NULL;
		 word = strtok_r(NULL, " ", &rest))
		if (!condition_holds(probe, word))
			return false;
	return true;
}

/* Has the table those columns? */
static bool
has_columns(Oid relation, const char *columns)
{
	char *rest = pstrdup(columns);

	for (char *column = strtok_r(rest, ", ", &rest); column != NULL;
		 column = strtok_r(NULL, ", ", &rest))
		if (get_attnum(relation, column) == InvalidAttrNumber)
			return false;
	return true;
}

/* Is the rule about the tables as they are in this version of Airflow? */
bool
rule_applies(const Probe *probe, const Rule *rule)
{
	Oid relation = get_relname_relid(rule->table, probe->namespace);

	return OidIsValid(relation) && probe_has(probe, rule->only_if) &&
		   has_columns(relation, rule->columns) &&
		   (rule->parent == NULL || OidIsValid(get_relname_relid(rule->parent, probe->namespace)));
}

bool
probe_is_limited(const Probe *probe)
{
	return probe->max_rows > 0 || probe->deadline != DT_NOEND;
}
