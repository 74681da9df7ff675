/*
 * python_text.c
 *		Python's texts in the bytes of a pickle: escapes, UTF-8 with halves of surrogate pairs.
 *
 * Strings are kept in UTF-8 as the error handler "surrogatepass" has it: a code point from U+D800 to
 * U+DFFF takes three bytes, ED A0 80 to ED BF BF.
 */
#include "postgres.h"

#include "python_text.h"

#include <math.h>

#include "mb/pg_wchar.h"

#define MAX_CODE_POINT 0x10ffff
#define SURROGATE_FIRST_BYTE 0xed
#define HIGH_SURROGATE_SECOND_BYTE 0xa0
#define LOW_SURROGATE_SECOND_BYTE 0xb0

/* Is there half a surrogate pair at these bytes? */
static bool
is_surrogate(const unsigned char *at, const unsigned char *end)
{
	return end - at >= 3 && at[0] == SURROGATE_FIRST_BYTE && at[1] >= HIGH_SURROGATE_SECOND_BYTE &&
		   at[1] <= 0xbf && (at[2] & 0xc0) == 0x80;
}

/* "surrogates": are halves of surrogate pairs allowed? */
bool
python_utf8_is_valid(const char *text, int length, bool surrogates)
{
	const unsigned char *at = (const unsigned char *) text;
	const unsigned char *end = at + length;

	while (at < end)
	{
		int size = 1;

		if (*at >= 0x80)
		{
			size = pg_utf_mblen(at);
			if (size > end - at ||
				!(pg_utf8_islegal(at, size) || (surrogates && is_surrogate(at, end))))
				return false;
		}
		at += size;
	}
	return true;
}

bool
python_is_ascii(const char *text, int length)
{
	for (int i = 0; i < length; i++)
		if (IS_HIGHBIT_SET(text[i]))
			return false;
	return true;
}

/* Has it no character beyond U+00FF? */
bool
python_utf8_is_latin1(const char *text, int length)
{
	for (int i = 0; i < length; i++)
		if ((unsigned char) text[i] > 0xc3)
			return false;
	return true;
}

static void
append_code_point(StringInfo result, uint32 code)
{
	if (code < 0x80)
		appendStringInfoCharMacro(result, (char) code);
	else
	{
		unsigned char bytes[4];

		unicode_to_utf8(code, bytes);
		appendBinaryStringInfo(result, (char *) bytes, pg_utf_mblen(bytes));
	}
}

/* "count" hexadecimal digits. */
static bool
read_hex(const char *text, int length, int count, uint32 *code)
{
	*code = 0;
	if (length < count)
		return false;
	for (int i = 0; i < count; i++)
	{
		char c = text[i];

		if (!isxdigit((unsigned char) c))
			return false;
		*code = *code << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return true;
}

/* The codec "raw-unicode-escape": Latin-1 with \uXXXX and \UXXXXXXXX. */
bool
python_read_raw_unicode(const char *text, int length, StringInfo result)
{
	for (int i = 0; i < length; i++)
	{
		char next = i + 1 < length ? text[i + 1] : '\0';
		int digits = text[i] != '\\' ? 0 : next == 'u' ? 4 : next == 'U' ? 8 : 0;
		uint32 code;

		if (digits == 0)
		{
			append_code_point(result, (unsigned char) text[i]);
			if (text[i] == '\\' && i + 1 < length)
				append_code_point(result, (unsigned char) text[++i]);
			continue;
		}
		if (!read_hex(text + i + 2, length - i - 2, digits, &code) || code > MAX_CODE_POINT)
			return false;
		append_code_point(result, code);
		i += digits + 1;
	}
	return true;
}

/* \x41, \101, \n: what follows a backslash; returns how many bytes that is, 0 where it is wrong. */
static int
read_escape(const char *text, int length, StringInfo result)
{
	static const char *const simple = "\\\\''\"\"b\bf\ft\tn\nr\rv\va\a";
	int octal = 0;
	uint32 code = 0;

	if (length == 0 || (text[0] == 'x' && !read_hex(text + 1, length - 1, 2, &code)))
		return 0;
	if (text[0] == 'x')
	{
		appendStringInfoChar(result, (char) code);
		return 3;
	}
	while (octal < Min(length, 3) && text[octal] >= '0' && text[octal] <= '7')
		code = code << 3 | (text[octal++] - '0');
	if (octal > 0)
	{
		appendStringInfoChar(result, (char) code);
		return octal;
	}
	for (const char *pair = simple; *pair != '\0'; pair += 2)
		if (text[0] == *pair)
		{
			appendStringInfoChar(result, pair[1]);
			return 1;
		}
	appendStringInfoChar(result, '\\');
	appendStringInfoChar(result, text[0]);
	return 1;
}

/* The inside of a literal of bytes. */
bool
python_read_escaped(const char *text, int length, StringInfo result)
{
	for (int i = 0; i < length; i++)
	{
		int size;

		if (text[i] != '\\')
		{
			appendStringInfoCharMacro(result, text[i]);
			continue;
		}
		size = read_escape(text + i + 1, length - i - 1, result);
		if (size == 0)
			return false;
		i += size;
	}
	return true;
}

/*
 * Is there half a surrogate pair that is not beside its other half, once U+0000 is taken out? (Before that,
 * U+0000 is as bad.)
 */
bool
python_has_lone_surrogate(const char *text, int length)
{
	const unsigned char *at = (const unsigned char *) text;
	const unsigned char *end = at + length;
	bool after_high = false;

	for (; at < end; at++)
	{
		bool surrogate = is_surrogate(at, end);
		bool low = surrogate && at[1] >= LOW_SURROGATE_SECOND_BYTE;

		if (*at == '\0')
			continue;
		if (low != after_high)
			return true;
		after_high = surrogate && !low;
		if (surrogate)
			at += 2;
	}
	return after_high;
}

/* Length of a decimal number with an optional fraction and exponent; 0 for none. */
static int
number_length(const char *text)
{
	static const char *const digits = "0123456789";
	int whole = strspn(text, digits);
	int length = whole;
	int fraction = 0;

	if (text[length] == '.')
	{
		fraction = strspn(text + length + 1, digits);
		length += 1 + fraction;
	}
	if (whole + fraction == 0)
		return 0;
	if (text[length] == 'e' || text[length] == 'E')
	{
		int sign = text[length + 1] == '+' || text[length + 1] == '-' ? 1 : 0;
		int exponent = strspn(text + length + 1 + sign, digits);

		if (exponent > 0)
			length += 1 + sign + exponent;
	}
	return length;
}

/* pystrtod.c, PyOS_string_to_double: no spaces, no hexadecimal digits, and no overflow. */
bool
python_read_float(const char *text, double *result)
{
	static const char *const names[] = {"inf", "infinity", "nan"};
	const char *number = text + (*text == '+' || *text == '-' ? 1 : 0);
	int length = number_length(number);

	for (int i = 0; i < (int) lengthof(names); i++)
		if (pg_strcasecmp(number, names[i]) == 0)
		{
			*result = strtod(text, NULL);
			return true;
		}
	if (length == 0 || number[length] != '\0')
		return false;
	*result = strtod(text, NULL);
	return isfinite(*result);
}
