/*
 * label.c
 *		The label under which what belongs to one migration is kept.
 */
#include "label.h"

#include "utils/builtins.h"

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
