/*
 * bad_values.c
 *		Values that a migration cannot turn into JSON, or changes on the way.
 *
 * SQL has no way of its own, before PostgreSQL 16, to ask whether a value can be cast, so each is
 * read and looked at here. Values of more than 1 MB are left alone unless there are no limits.
 */
#include "bad_values.h"

#include "executor/spi.h"

#include "rows/block_walk.h"
#include "util/json_text.h"
#include "values/pickled_conf.h"
#include "values/xcom_value.h"

#define MAX_KINDS 8
#define MAX_VALUE_BYTES 1048576
#define VALUES_BETWEEN_CLOCK 16

/* A column, what to look for in it, and a rule for each kind of value that is not in order. */
typedef struct ValueCheck
{
	int (*classify)(const char *data, int length); /* 0: in order; else the kind, from 1 */
	const char *expression;
	int count;
	const Rule *kinds;
} ValueCheck;

typedef struct ValueCounts
{
	const ValueCheck *check;
	int64 kinds[MAX_KINDS];
	int64 too_large;
} ValueCounts;

/*
 * What the migration of Airflow 3.3 does, row by row, because only JSON that cannot be cast may be
 * searched for NaN: it is text otherwise. What cannot be mended goes to a table of its own.
 */
#define REPAIR_XCOM                                                                                \
	"CREATE TABLE IF NOT EXISTS {s}._xcom_not_json (LIKE {s}.xcom); "                              \
	"DO $fix$ DECLARE r record; t text; BEGIN "                                                    \
	"FOR r IN SELECT ctid, value FROM {s}.xcom WHERE value IS NOT NULL LOOP BEGIN "                \
	"CONTINUE WHEN get_byte(r.value, 0) = 128; "                                                   \
	"t := replace(replace(replace(convert_from(r.value, 'UTF8'), '\\\\', chr(1)), "                \
	"'\\u0000', ''), chr(1), '\\\\'); "                                                            \
	"BEGIN PERFORM t::jsonb; EXCEPTION WHEN data_exception THEN "                                  \
	"t := regexp_replace(t, '([:,\\[]\\s*|^)(NaN|-?Infinity)(?=\\s*[,}\\]]|$)', '\\1null', 'g'); " \
	"PERFORM t::jsonb; END; "                                                                      \
	"UPDATE {s}.xcom SET value = convert_to(t, 'UTF8') "                                           \
	"WHERE ctid = r.ctid AND value <> convert_to(t, 'UTF8'); "                                     \
	"EXCEPTION WHEN data_exception THEN "                                                          \
	"INSERT INTO {s}._xcom_not_json SELECT * FROM {s}.xcom WHERE ctid = r.ctid; "                  \
	"DELETE FROM {s}.xcom WHERE ctid = r.ctid; END; END LOOP; END $fix$;"

#define MOVED " fix_sql does as 3.3, and moves what is no JSON to the table _xcom_not_json."

#define XCOM(kind, severity_, fails_to_, what_, consequence_, hint_, fix_)                         \
	[kind - 1] = {.check_name = "xcom_values",                                                     \
				  .severity = severity_,                                                           \
				  .fails_to = fails_to_,                                                           \
				  .table = "xcom",                                                                 \
				  .columns = "value",                                                              \
				  .only_if = "xcom.value:bytea",                                                   \
				  .bad = "r.value IS NOT NULL",                                                    \
				  .what = what_,                                                                   \
				  .consequence = consequence_,                                                     \
				  .hint = hint_,                                                                   \
				  .fix = fix_}

static const Rule xcom_kinds[] = {
	XCOM(XCOM_NOT_JSON, SEVERITY_CRITICAL, NULL, "with a value that is no JSON",
		 "\"airflow db migrate\" fails (step 0049)",
		 "fix_sql moves them to the table _xcom_not_json.", REPAIR_XCOM),
	XCOM(XCOM_NUL, SEVERITY_WARNING, "3.2.2", "with \\u0000 in the value",
		 "step 0049 of \"airflow db migrate\" takes it out, and fails before Airflow 3.3",
		 "Critical for a migration to Airflow 3.0, 3.1 or 3.2." MOVED, REPAIR_XCOM),
	XCOM(XCOM_NAN, SEVERITY_WARNING, "3.0.6", "with NaN or Infinity in the value",
		 "step 0049 of \"airflow db migrate\" makes it null (3.1 and 3.2: a string), and fails in "
		 "Airflow 3.0",
		 "Critical for a migration to Airflow 3.0." MOVED, REPAIR_XCOM),
	XCOM(XCOM_PICKLED, SEVERITY_INFO, NULL, "with a pickled value",
		 "step 0049 of \"airflow db migrate\" moves them to the table _xcom_archive",
		 "Tasks do not see them any more afterwards.", NULL),
};

/*
 * Looks for half a surrogate pair's bytes anywhere, or, as protocol 0 has it, for its escape, so it keeps
 * what it takes away.
 */
#define HAS_HALF_A_PAIR                                                                            \
	"encode(r.conf, 'hex') ~ '^(..)*(ed[ab]|5c(75|5530303030)[46]4(3[89]|[46][1-6]))'"
#define KEEP_CONF_APART                                                                            \
	"CREATE TABLE IF NOT EXISTS {s}._dag_run_conf_kept (id integer, conf bytea); "                 \
	"INSERT INTO {s}._dag_run_conf_kept SELECT r.id, r.conf FROM {s}.dag_run r "                   \
	"WHERE " HAS_HALF_A_PAIR "; "                                                                  \
	"UPDATE {s}.dag_run r SET conf = NULL WHERE " HAS_HALF_A_PAIR ";"

#define CONF(kind, severity_, fails_to_, what_, consequence_, hint_, fix_)                         \
	[kind - 1] = {.check_name = "dag_run_conf",                                                    \
				  .severity = severity_,                                                           \
				  .fails_to = fails_to_,                                                           \
				  .table = "dag_run",                                                              \
				  .columns = "conf",                                                               \
				  .only_if = "dag_run.conf:bytea",                                                 \
				  .bad = "r.conf IS NOT NULL AND r.conf <> decode('80057d942e', 'hex')",           \
				  .what = what_,                                                                   \
				  .consequence = consequence_,                                                     \
				  .hint = hint_,                                                                   \
				  .fix = fix_}

static const Rule conf_kinds[] = {
	CONF(CONF_SURROGATE, SEVERITY_CRITICAL, NULL, "with half a surrogate pair in a string of conf",
		 "\"airflow db migrate\" fails (step 0055)",
		 "fix_sql keeps the conf in the table _dag_run_conf_kept and sets it to NULL.",
		 KEEP_CONF_APART),
	CONF(CONF_HUGE, SEVERITY_CRITICAL, NULL, "with a conf of more than 256 MB as JSON",
		 "\"airflow db migrate\" fails (step 0055)",
		 "A value that stands in many places of the conf is written that often.", NULL),
	CONF(CONF_NUL, SEVERITY_WARNING, "3.2.2", "with U+0000 in a string of conf",
		 "step 0055 of \"airflow db migrate\" takes it out, and fails before Airflow 3.3",
		 "Critical for a migration to Airflow 3.0, 3.1 or 3.2.", NULL),
	CONF(CONF_NAN, SEVERITY_WARNING, "3.2.2", "with NaN or Infinity in conf",
		 "step 0055 of \"airflow db migrate\" makes it a string, and fails before Airflow 3.3",
		 "Critical for a migration to Airflow 3.0, 3.1 or 3.2.", NULL),
	CONF(CONF_LOST, SEVERITY_WARNING, NULL, "with a conf that JSON cannot have",
		 "step 0055 of \"airflow db migrate\" makes it NULL",
		 "Look at these runs' conf with Airflow 2 if it is still needed.", NULL),
	CONF(CONF_SEQUENCE, SEVERITY_WARNING, NULL, "with a deque in conf",
		 "step 0055 of \"airflow db migrate\" makes a list of it, and the whole conf NULL before "
		 "Airflow 3.3",
		 "Look at these runs' conf with Airflow 2 if it is still needed.", NULL),
	CONF(CONF_DEEP, SEVERITY_WARNING, NULL, "with a conf nested in more than 487 levels",
		 "step 0055 of \"airflow db migrate\" makes it NULL in Airflow 3.3 with Python 3.11 or "
		 "older",
		 "Look at these runs' conf with Airflow 2 if it is still needed.", NULL),
	CONF(CONF_UNKNOWN, SEVERITY_WARNING, NULL, "with a conf that only Python can judge",
		 "step 0055 of \"airflow db migrate\" makes it NULL unless its classes can be imported "
		 "there and json.dumps() takes it",
		 "Look at these runs' conf with Airflow 2 if it is still needed.", NULL),
};

/*
 * \u0000 goes, half a surrogate pair becomes U+FFFD; backslashes that are escaped are left alone.
 */
#define HIGH_SURROGATE "\\\\u[dD][89abAB][0-9a-fA-F]{2}"
#define LOW_SURROGATE "\\\\u[dD][c-fC-F][0-9a-fA-F]{2}"
#define REPAIR_JSON(table, column)                                                                 \
	"UPDATE {s}." table " r SET " column " = replace(regexp_replace(regexp_replace(replace("       \
	"replace(r." column "::text, '\\\\', chr(1)), '\\u0000', ''), "                                \
	"'" HIGH_SURROGATE "(?!" LOW_SURROGATE ")', '\\\\ufffd', 'g'), "                               \
	"'(?<!" HIGH_SURROGATE ")" LOW_SURROGATE "', '\\\\ufffd', 'g'), chr(1), '\\\\')::json "        \
	"WHERE r." column "::text ~ '\\\\u(0000|[dD][89a-fA-F])';"

#define JSON_COLUMN(table_, column, step)                                                          \
	{                                                                                              \
		.check_name = "json_values", .severity = SEVERITY_CRITICAL, .table = table_,               \
		.columns = column, .only_if = table_ "." column ":json",                                   \
		.bad = "r." column " IS NOT NULL",                                                         \
		.what = "with \\u0000 or half a surrogate pair, which jsonb does not take",                \
		.consequence = "\"airflow db migrate\" fails (step " step ")",                             \
		.hint = "Take it out of the DAG file, too, or it will come again.",                        \
		.fix = REPAIR_JSON(table_, column)                                                         \
	}

static const Rule serialized_dag_kinds[] = {JSON_COLUMN("serialized_dag", "data", "0089")};
static const Rule deadline_kinds[] = {JSON_COLUMN("deadline", "callback", "0094")};

static int
json_for_jsonb(const char *data, int length)
{
	return json_text_check(data, length) == JSON_TEXT_VALID ? 0 : 1;
}

static const ValueCheck checks[] = {
	{json_for_jsonb, "r.callback::text", lengthof(deadline_kinds), deadline_kinds},
	{json_for_jsonb, "r.data::text", lengthof(serialized_dag_kinds), serialized_dag_kinds},
	{pickled_conf, "r.conf", lengthof(conf_kinds), conf_kinds},
	{xcom_value, "r.value", lengthof(xcom_kinds), xcom_kinds},
};

/* The remaining time is for check_bad_values(), too. */
void
expect_bad_values(Probe *probe)
{
	for (int i = 0; i < (int) lengthof(checks); i++)
		probe_expect(probe, &checks[i].kinds[0], 1);
}

/* Classify the values of one range, as far as the time goes. */
static void
count_values(ValueCounts *counts, BlockWalk *walk)
{
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;
		Datum datum = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull);
		struct varlena *value;
		int kind;

		if (i % VALUES_BETWEEN_CLOCK == 0 && i > 0 && block_walk_out_of_time(walk))
		{
			walk->cut_short = true;
			break;
		}
		if (isnull)
		{
			counts->too_large++;
			continue;
		}
		value = PG_DETOAST_DATUM_PACKED(datum);
		kind = counts->check->classify(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
		if (kind > 0)
			counts->kinds[kind - 1]++;
		if (value != (struct varlena *) DatumGetPointer(datum))
			pfree(value);
	}
	SPI_freetuptable(rows);
}

/* RuleFunction: count the column's values by kind. */
static void
read_values(ProbeTable *table)
{
	ValueCounts *counts = table->arg;
	const char *expression = counts->check->expression;
	BlockWalk walk;

	if (probe_is_limited(table->probe))
		expression = psprintf("CASE WHEN octet_length(%s) <= %d THEN %s END", expression,
							  MAX_VALUE_BYTES, expression);
	block_walk_begin(&walk, table, expression, table->rule->bad);
	while (!walk.cut_short && block_walk_next(&walk))
		count_values(counts, &walk);
	block_walk_end(&walk);
}

static void
report_too_large(Probe *probe, const Rule *rule, int64 count)
{
	if (count > 0)
		findings_add(
			probe->list,
			&(Finding){.check_name = rule->check_name,
					   .severity = SEVERITY_INFO,
					   .object = psprintf("%s (%s)", rule->table, rule->columns),
					   .value = psprintf(INT64_FORMAT, count),
					   .message = "values of more than 1 MB were not read",
					   .hint = psprintf("Read it in full: SELECT * FROM %s;", probe->function)});
}

/* Look at all columns; returns how many there were. */
int
check_bad_values(Probe *probe)
{
	int applied = 0;

	for (int i = 0; i < (int) lengthof(checks); i++)
	{
		ValueCounts counts = {.check = &checks[i]};
		ProbeResult result;
		bool reported = false;

		if (!probe_table(probe, &checks[i].kinds[0], read_values, &counts, &result))
			continue;
		applied++;
		for (int k = 0; k < checks[i].count; k++)
		{
			result.bad = counts.kinds[k];
			if (result.bad > 0 || (k == checks[i].count - 1 && !reported))
				probe_report(probe, &checks[i].kinds[k], &result);
			reported = reported || result.bad > 0;
		}
		report_too_large(probe, &checks[i].kinds[0], counts.too_large);
	}
	return applied;
}
