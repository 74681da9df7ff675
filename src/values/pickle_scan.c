/*
 * pickle_scan.c
 *		What Airflow 3's migration makes of a pickled dag_run.conf of Airflow 2.
 *
 * migrations/versions/0055_3_0_0_remove_pickled_data_from_dagrun_table.py unpickles each conf,
 * makes JSON of it and writes that into a jsonb column. A conf that cannot be unpickled or is not
 * plain data is skipped, and lost. JSON that jsonb refuses ends the transaction, and the migration
 * with it.
 *
 * The pickle is not built up, only walked through, opcode by opcode (Lib/pickletools.py): what
 * matters are its strings and floats, and whether there is anything besides plain data.
 */
#include "postgres.h"

#include "pickle_scan.h"

#include <math.h>

#include "port/pg_bswap.h"

/* Opcodes by what follows them; Lib/pickle.py has their names. */
#define PLAIN_WITHOUT_ARGUMENT "(012N)]}adelstu\x85\x86\x87\x88\x89\x94"
#define PLAIN_STRING_LENGTH_1 "U\x8c"
#define PLAIN_STRING_LENGTH_4 "TX"
#define PLAIN_LINE "ILSVgp"

typedef struct PickleScan
{
	const char *at;
	const char *end;
	bool has_surrogate;
	bool has_nul;
	bool has_nan;
} PickleScan;

/* Step over n bytes; returns where they begin, or NULL when there are not so many. */
static const char *
take(PickleScan *scan, uint64 n)
{
	const char *start = scan->at;

	if ((uint64) (scan->end - scan->at) < n)
		return NULL;
	scan->at += n;
	return start;
}

/* A length of "size" bytes, little-endian, and that many bytes; returns the length or -1. */
static int64
take_counted(PickleScan *scan, int size, const char **bytes)
{
	const char *count = take(scan, size);
	uint64 length = 0;

	if (count == NULL)
		return -1;
	for (int i = size - 1; i >= 0; i--)
		length = length << 8 | (unsigned char) count[i];
	*bytes = take(scan, length);
	return *bytes != NULL ? (int64) length : -1;
}

static bool
scan_string(PickleScan *scan, int size)
{
	const char *bytes = NULL;
	int64 length = take_counted(scan, size, &bytes);

	if (length < 0)
		return false;
	scan->has_nul |= memchr(bytes, '\0', length) != NULL;
	/* UTF-8 of U+D800 to U+DFFF, which Python writes for half a surrogate pair. */
	for (int64 i = 0; i + 1 < length; i++)
		scan->has_surrogate |= bytes[i] == '\xed' && (unsigned char) bytes[i + 1] >= 0xa0;
	return true;
}

static bool
scan_float(PickleScan *scan)
{
	const char *bytes = take(scan, sizeof(uint64));
	uint64 bits;
	double value;

	if (bytes == NULL)
		return false;
	memcpy(&bits, bytes, sizeof(bits));
	bits = pg_ntoh64(bits);
	memcpy(&value, &bits, sizeof(value));
	scan->has_nan |= isnan(value) || isinf(value);
	return true;
}

static bool
scan_line(PickleScan *scan)
{
	const char *newline = memchr(scan->at, '\n', scan->end - scan->at);

	if (newline == NULL)
		return false;
	scan->at = newline + 1;
	return true;
}

static bool
is_one_of(char opcode, const char *opcodes)
{
	return opcode != '\0' && strchr(opcodes, opcode) != NULL;
}

/* One opcode of plain data and its argument; false for all others. */
static bool
scan_opcode(PickleScan *scan, char opcode)
{
	const char *ignored;

	if (is_one_of(opcode, PLAIN_WITHOUT_ARGUMENT))
		return true;
	if (is_one_of(opcode, PLAIN_STRING_LENGTH_1))
		return scan_string(scan, 1);
	if (is_one_of(opcode, PLAIN_STRING_LENGTH_4))
		return scan_string(scan, 4);
	if (is_one_of(opcode, PLAIN_LINE))
		return scan_line(scan);
	switch ((unsigned char) opcode)
	{
		case 'K':  /* BININT1 */
		case 'h':  /* BINGET */
		case 'q':  /* BINPUT */
		case 0x80: /* PROTO */
			return take(scan, 1) != NULL;
		case 'M': /* BININT2 */
			return take(scan, 2) != NULL;
		case 'J': /* BININT */
		case 'j': /* LONG_BINGET */
		case 'r': /* LONG_BINPUT */
			return take(scan, 4) != NULL;
		case 0x95: /* FRAME */
			return take(scan, 8) != NULL;
		case 0x8a: /* LONG1 */
			return take_counted(scan, 1, &ignored) >= 0;
		case 0x8b: /* LONG4 */
			return take_counted(scan, 4, &ignored) >= 0;
		case 0x8d: /* BINUNICODE8 */
			return scan_string(scan, 8);
		case 'G': /* BINFLOAT */
			return scan_float(scan);
		default:
			return false;
	}
}

/* Returns a PickledConf. */
int
pickled_conf(const char *data, int length)
{
	PickleScan scan = {.at = data, .end = data + length};

	for (;;)
	{
		const char *opcode = take(&scan, 1);

		if (opcode == NULL)
			return CONF_LOST;
		if (*opcode == '.') /* STOP */
			break;
		if (!scan_opcode(&scan, *opcode))
			return CONF_LOST;
	}
	return scan.has_surrogate ? CONF_SURROGATE
		   : scan.has_nul	  ? CONF_NUL
		   : scan.has_nan	  ? CONF_NAN
							  : CONF_PLAIN;
}
