/*
 * arguments.c
 *		The arguments of an SQL function.
 */
#include "arguments.h"

#include "utils/builtins.h"

char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

char *
required_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be NULL", name),
				 errdetail("NULL has no meaning there."),
				 errhint("Leave an optional argument out for its default.")));
	return text_argument(fcinfo, number);
}
