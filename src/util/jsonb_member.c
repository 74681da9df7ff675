/*
 * jsonb_member.c
 *		Read what is in a jsonb object.
 */
#include "jsonb_member.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Member of an object, or NULL when there is none or "object" is not an object. */
JsonbValue *
json_member(JsonbContainer *object, const char *key)
{
	if (object == NULL || !JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, key, strlen(key), NULL);
}

/* Member that is itself an object or array, or NULL. */
JsonbContainer *
json_child(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_member(object, key);

	return value != NULL && value->type == jbvBinary ? value->val.binary.data : NULL;
}

/* Text of a string or number; NULL for everything else. */
char *
json_string(const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type == jbvNumeric)
		return DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	return NULL;
}

bool
json_string_is(const JsonbValue *value, const char *expected)
{
	return value != NULL && value->type == jbvString &&
		   value->val.string.len == (int) strlen(expected) &&
		   memcmp(value->val.string.val, expected, value->val.string.len) == 0;
}

/*
 * A serialized date: seconds since 1970, as a float. False for one that is not there.
 */
bool
json_timestamp(JsonbValue *value, TimestampTz *timestamp)
{
	double seconds;

	if (value == NULL || value->type == jbvNull)
		return false;
	if (value->type != jbvNumeric)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a date in the serialized DAG is not a number")));
	seconds =
		DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
	if (fabs(seconds) > 1e12)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("a date in the serialized DAG is out of range")));
	seconds -= (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	*timestamp = (TimestampTz) rint(seconds * USECS_PER_SEC);
	return true;
}
