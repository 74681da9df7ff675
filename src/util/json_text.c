/*
 * json_text.c
 *		Is a text JSON that jsonb can hold? Says so without raising an error.
 */
#include "json_text.h"

#include "common/jsonapi.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

/*
 * Parses the text, which must be valid UTF-8, escapes included: jsonb takes neither \u0000 nor half
 * a surrogate pair. Leaves nothing behind in the current memory context.
 */
JsonTextState
json_text_check(const char *text, int length)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "json_text_check", ALLOCSET_SMALL_SIZES);
	MemoryContext saved = MemoryContextSwitchTo(context);
	JsonSemAction no_action = {0};
	JsonParseErrorType error;
	JsonLexContext *lex;

	lex = json_lex_context(text, length);
	error = pg_parse_json(lex, &no_action);
	MemoryContextSwitchTo(saved);
	MemoryContextDelete(context);

	if (error == JSON_SUCCESS)
		return JSON_TEXT_VALID;
	return error == JSON_UNICODE_CODE_POINT_ZERO ? JSON_TEXT_NUL : JSON_TEXT_INVALID;
}
