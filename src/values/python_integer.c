/*
 * python_integer.c
 *		Python's integers, which have no end.
 *
 * Those beyond int64 are kept as pickle has them: two's complement, little-endian, as short as it
 * can be (Lib/pickle.py: encode_long, decode_long).
 */
#include "postgres.h"

#include "python_integer.h"

#include <float.h>
#include <math.h>

#define LIMB_DIGITS 9
#define LIMB_POWER 1000000000u
#define MAX_LIMBS (MAX_INTEGER_DIGITS / LIMB_DIGITS + 1)
#define SPACES " \t\n\r\v\f"

static bool
is_negative(const unsigned char *bytes, int length)
{
	return length > 0 && bytes[length - 1] >= 0x80;
}

/* How many bytes are needed: those that only repeat the sign are not. */
static int
shortest(const unsigned char *bytes, int length)
{
	unsigned char sign = is_negative(bytes, length) ? 0xff : 0;

	while (length > 1 && bytes[length - 1] == sign &&
		   is_negative(bytes, length - 1) == (sign == 0xff))
		length--;
	return length;
}

static void
negate(unsigned char *bytes, int length)
{
	unsigned int carry = 1;

	for (int i = 0; i < length; i++)
	{
		carry += (unsigned char) ~bytes[i];
		bytes[i] = carry & 0xff;
		carry >>= 8;
	}
}

/* limbs = limbs * factor + more; returns how many there are then. */
static int
multiply_add(uint32 *limbs, int count, uint32 factor, uint32 more)
{
	uint64 carry = more;

	for (int i = 0; i < count; i++)
	{
		carry += (uint64) limbs[i] * factor;
		limbs[i] = (uint32) carry;
		carry >>= 32;
	}
	if (carry > 0)
		limbs[count++] = carry;
	return count;
}

/*
 * Two's complement of a decimal number of at most MAX_INTEGER_DIGITS. "bytes" has room for
 * MAX_INTEGER_BYTES. Returns the number of bytes.
 */
int
encode_long(const char *decimal, unsigned char *bytes)
{
	uint32 limbs[MAX_LIMBS];
	int count = 0;
	int length = 0;
	bool negative = *decimal == '-';

	for (const char *digit = decimal + (negative ? 1 : 0); *digit != '\0';)
	{
		uint32 chunk = 0;
		uint32 power = 1;

		for (; *digit != '\0' && power < LIMB_POWER; digit++)
		{
			chunk = chunk * 10 + (*digit - '0');
			power *= 10;
		}
		count = multiply_add(limbs, count, power, chunk);
	}
	for (int i = 0; i < count; i++)
		for (int shift = 0; shift < 32; shift += 8)
			bytes[length++] = limbs[i] >> shift & 0xff;
	while (length > 0 && bytes[length - 1] == 0)
		length--;
	bytes[length++] = 0; /* room for the sign */
	if (negative)
		negate(bytes, length);
	return shortest(bytes, length);
}

/* The integer that pickle has as these bytes, which stay where they are. */
PythonValue
python_integer(const char *bytes, int length)
{
	const unsigned char *digits = (const unsigned char *) bytes;
	uint64 number;

	length = shortest(digits, length);
	if (length > (int) sizeof(number))
		return (PythonValue){.type = PYTHON_LONG, .length = length, .text = bytes};
	number = is_negative(digits, length) ? PG_UINT64_MAX : 0;
	for (int i = length - 1; i >= 0; i--)
		number = number << 8 | digits[i];
	return (PythonValue){.type = PYTHON_INT, .number = (int64) number};
}

/* A finite float without a fraction. */
PythonValue
python_integer_of_float(double number)
{
	int exponent;
	int64 mantissa = (int64) ldexp(frexp(number, &exponent), DBL_MANT_DIG);
	int length;
	unsigned char *bytes;

	exponent -= DBL_MANT_DIG;
	if (exponent < 0)
		return (PythonValue){.type = PYTHON_INT, .number = (int64) number};
	length = exponent / 8 + sizeof(mantissa) + 1;
	bytes = palloc0(length);
	for (int i = 0; i < DBL_MANT_DIG; i++)
		if ((int64) Abs(mantissa) >> i & 1)
			bytes[(exponent + i) / 8] |= 1 << (exponent + i) % 8;
	if (mantissa < 0)
		negate(bytes, length);
	return python_integer((char *) bytes, length);
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

/* 0x, 0o, 0b: the bits of one digit; 0 for none of them. */
static int
bits_of_prefix(const char *text)
{
	if (text[0] != '0')
		return 0;
	switch (text[1])
	{
		case 'x':
		case 'X':
			return 4;
		case 'o':
		case 'O':
			return 3;
		case 'b':
		case 'B':
			return 1;
		default:
			return 0;
	}
}

/* Digits in base 2, 8 or 16 as an integer. */
static PythonValue
from_bits(const char *digits, int count, int bits_of_digit, bool negative)
{
	int length = ((int64) count * bits_of_digit + 7) / 8 + 1;
	unsigned char *bytes = palloc0(length);

	for (int i = 0; i < count; i++)
	{
		int64 bit = (int64) (count - 1 - i) * bits_of_digit;
		int value = digit_value(digits[i]) << bit % 8;

		bytes[bit / 8] |= value & 0xff;
		bytes[bit / 8 + 1] |= value >> 8;
	}
	if (negative)
		negate(bytes, length);
	return python_integer((char *) bytes, length);
}

static PythonValue
from_decimal(const char *digits, bool negative)
{
	char *decimal = psprintf("%s%s", negative ? "-" : "", digits);
	unsigned char *bytes = palloc(MAX_INTEGER_BYTES);
	int length = encode_long(decimal, bytes);

	pfree(decimal);
	return python_integer((char *) bytes, length);
}

/*
 * The digits at *text without their underscores, of which there is never more than one between two.
 * Returns NULL where it is otherwise.
 */
static char *
take_digits(const char **text, int base, int *count)
{
	char *digits = palloc(strlen(*text) + 1);
	char previous = '_';

	*count = 0;
	for (; digit_value(**text) < base || **text == '_'; (*text)++)
	{
		if (**text != '_')
			digits[(*count)++] = **text;
		else if (previous == '_')
			return NULL;
		previous = **text;
	}
	digits[*count] = '\0';
	return previous == '_' ? NULL : digits;
}

/* What int(text, base) makes of a text, for base 10 and 0: longobject.c, PyLong_FromString. */
bool
python_integer_read(const char *text, int base, PythonValue *result)
{
	bool negative;
	int bits = 0;
	int count;
	char *digits;
	bool octal_of_old;

	text += strspn(text, SPACES);
	negative = *text == '-';
	if (*text == '+' || *text == '-')
		text++;
	if (base == 0 && (bits = bits_of_prefix(text)) > 0)
		text += text[2] == '_' ? 3 : 2;
	octal_of_old = base == 0 && bits == 0 && *text == '0';
	digits = take_digits(&text, bits > 0 ? 1 << bits : 10, &count);
	if (digits == NULL || text[strspn(text, SPACES)] != '\0')
		return false;
	if (bits > 0)
		*result = from_bits(digits, count, bits, negative);
	else if (count > MAX_INTEGER_DIGITS || (octal_of_old && strspn(digits, "0") != (size_t) count))
		return false;
	else
		*result = from_decimal(digits, negative);
	return true;
}

/* An integer other than 0 without its sign; returns how many bytes it has then. */
static int
magnitude(unsigned char *bytes, int length)
{
	if (is_negative(bytes, length))
		negate(bytes, length);
	while (bytes[length - 1] == 0)
		length--;
	return length;
}

/* 10 to the power of MAX_INTEGER_DIGITS. */
static int
first_without_text(unsigned char *bytes)
{
	char nines[MAX_INTEGER_DIGITS + 1];
	int length;

	memset(nines, '9', MAX_INTEGER_DIGITS);
	nines[MAX_INTEGER_DIGITS] = '\0';
	length = encode_long(nines, bytes);
	for (int i = 0; ++bytes[i] == 0; i++)
		;
	return magnitude(bytes, length);
}

/* Has a PYTHON_LONG few enough digits for repr()? */
bool
python_integer_has_text(const PythonValue *value)
{
	unsigned char bytes[MAX_INTEGER_BYTES];
	unsigned char limit[MAX_INTEGER_BYTES];
	int length = value->length;
	int limit_length;

	if (length < MAX_INTEGER_DIGITS / 3)
		return true;
	if (length > MAX_INTEGER_BYTES)
		return false;
	memcpy(bytes, value->text, length);
	length = magnitude(bytes, length);
	limit_length = first_without_text(limit);
	if (length != limit_length)
		return length < limit_length;
	while (length > 0 && bytes[length - 1] == limit[length - 1])
		length--;
	return length > 0 && bytes[length - 1] < limit[length - 1];
}
