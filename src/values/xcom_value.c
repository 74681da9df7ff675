/*
 * xcom_value.c
 *		What Airflow 3's migration makes of an XCom value of Airflow 2.
 *
 * Follows migrations/versions/0049_3_0_0_remove_pickled_data_from_xcom_table.py: values that begin
 * with the byte 128 are pickled and moved away; the others are taken for UTF-8, \u0000 is taken
 * out, NaN and Infinity become null where the value is no JSON otherwise, and the rest is cast to
 * jsonb.
 */
#include "postgres.h"

#include "xcom_value.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "util/json_text.h"

#define PICKLE_FIRST_BYTE '\x80'

/* A copy without \u0000; escaped backslashes are not the beginning of one. */
static bool
strip_nul(StringInfo result, const char *text, int length)
{
	bool found = false;

	for (int i = 0; i < length; i++)
	{
		if (length - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
		{
			found = true;
			i += 5;
			continue;
		}
		appendStringInfoChar(result, text[i]);
		if (text[i] == '\\' && i + 1 < length)
			appendStringInfoChar(result, text[++i]);
	}
	return found;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Length of a NaN or Infinity at text[i] that stands where a value may stand; 0 if none. */
static int
nan_length(const char *text, int length, int i)
{
	static const char *const tokens[] = {"NaN", "Infinity", "-Infinity"};

	for (int t = 0; t < (int) lengthof(tokens); t++)
	{
		int n = strlen(tokens[t]);
		int before = i - 1;
		int after = i + n;

		if (after > length || memcmp(text + i, tokens[t], n) != 0)
			continue;
		while (before >= 0 && is_space(text[before]))
			before--;
		if (i > 0 && (before < 0 || strchr(":,[", text[before]) == NULL))
			continue;
		if (after == length)
			return n;
		while (after < length && is_space(text[after]))
			after++;
		if (after < length && strchr(",}]", text[after]) != NULL)
			return n;
	}
	return 0;
}

static bool
replace_nan(StringInfo result, const char *text, int length)
{
	bool found = false;

	for (int i = 0; i < length; i++)
	{
		int n = nan_length(text, length, i);

		if (n == 0)
		{
			appendStringInfoChar(result, text[i]);
			continue;
		}
		appendStringInfoString(result, "null");
		found = true;
		i += n - 1;
	}
	return found;
}

/* The value is no JSON as it is; is it after what the migration does to it? */
static XComValue
after_repair(const char *data, int length)
{
	StringInfoData stripped;
	StringInfoData repaired;
	bool had_nul;
	bool had_nan = false;

	initStringInfo(&stripped);
	initStringInfo(&repaired);
	had_nul = strip_nul(&stripped, data, length);
	if (json_text_check(stripped.data, stripped.len) != JSON_TEXT_VALID)
	{
		had_nan = replace_nan(&repaired, stripped.data, stripped.len);
		if (!had_nan || json_text_check(repaired.data, repaired.len) != JSON_TEXT_VALID)
			had_nul = had_nan = false;
	}
	pfree(stripped.data);
	pfree(repaired.data);
	return had_nul ? XCOM_NUL : had_nan ? XCOM_NAN : XCOM_NOT_JSON;
}

/* Returns an XComValue. */
int
xcom_value(const char *data, int length)
{
	if (length > 0 && data[0] == PICKLE_FIRST_BYTE)
		return XCOM_PICKLED;
	if (length == 0 || !pg_verify_mbstr(PG_UTF8, data, length, true))
		return XCOM_NOT_JSON;
	if (json_text_check(data, length) == JSON_TEXT_VALID)
		return XCOM_JSON;
	return after_repair(data, length);
}
