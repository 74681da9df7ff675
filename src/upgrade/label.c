/*
 * label.c
 *		The label under which what belongs to one migration is kept.
 */
#include "label.h"

#include "utils/builtins.h"

#include "relation/relation.h"
#include "util/owner_scope.h"
#include "util/query.h"

/* The first argument of an SQL function; raises 22004 when it is NULL or empty. */
char *
required_label(FunctionCallInfo fcinfo)
{
	char *label = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (label == NULL || label[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("label must not be empty"),
						errhint("Name the occasion, like 'upgrade to 3.3'.")));
	return label;
}

/*
 * For the detail of a message about a label that is not known: which labels there are. In the SPI
 * procedure's memory.
 */
char *
labels_in_use(void)
{
	OwnerScope scope;
	const char *labels;

	owner_scope_enter(&scope, pin_relation("paused_dag"));
	query_run("SELECT string_agg(format('\"%s\"', l.label), ', ' ORDER BY l.label)"
			  " FROM (SELECT label FROM airflow_pin.paused_dag"
			  "  UNION SELECT label FROM airflow_pin.baseline_figure"
			  "  UNION SELECT label FROM airflow_pin.throttle) l",
			  NULL, true, 1);
	owner_scope_leave(&scope);
	labels = row_text(0, 1);
	return labels ? psprintf("Labels in use: %s.", labels) : pstrdup("No label is in use.");
}
