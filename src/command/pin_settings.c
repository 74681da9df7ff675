/*
 * pin_settings.c
 *		How a pin holds its DAG: the settings of pin(), and which of them a move keeps.
 *
 * A promotion is pin(dag, version) and no more. It must not loosen a pin: what is not given is what
 * the pin in force has.
 */
#include "pin_settings.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pin/pin.h"
#include "util/arguments.h"

static void
check_run_types(ArrayType *names)
{
	Datum *values;
	bool *nulls;
	int count;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char *name = nulls[i] ? pstrdup("NULL") : TextDatumGetCString(values[i]);

		if (nulls[i] || run_type_from_name(name, strlen(name)) == RUN_UNKNOWN)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("unknown run type \"%s\"", name),
							errdetail("Run types are %s.", run_type_names()),
							errhint("'{}' stands for all run types.")));
	}
}

static void
check_on_mismatch(const char *name)
{
	OnMismatch on_mismatch;

	if (!on_mismatch_from_name(name, &on_mismatch))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown on_mismatch \"%s\"", name),
						errdetail("It is one of rewrite, reject, observe."),
						errhint("\"rewrite\" holds the DAG at the pinned version.")));
}

static void
check_reruns(const char *reruns)
{
	if (strcmp(reruns, "airflow") != 0 && strcmp(reruns, "pinned") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown reruns \"%s\"", reruns),
				 errdetail("It is one of airflow, pinned."),
				 errhint("\"airflow\" leaves re-runs of existing runs to Airflow.")));
}

static void
check_schedule(const char *schedule)
{
	if (strcmp(schedule, "pinned") != 0 && strcmp(schedule, "latest") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown schedule \"%s\"", schedule),
						errdetail("It is one of pinned, latest."),
						errhint("\"latest\" leaves the schedule to the DAG's latest version.")));
}

/*
 * The settings among the arguments of pin(), checked. With "keep" a NULL is a setting that is not
 * given, for settings_keep(); without, run_types NULL means all, and other NULLs are errors.
 */
void
settings_from_arguments(FunctionCallInfo fcinfo, PinSettings *settings, bool keep)
{
	settings->on_mismatch =
		keep ? text_argument(fcinfo, 2) : required_text(fcinfo, 2, "on_mismatch");
	settings->reruns = keep ? text_argument(fcinfo, 9) : required_text(fcinfo, 9, "reruns");
	settings->run_types_given = !keep || !PG_ARGISNULL(5);
	settings->allow_override_given = !keep || !PG_ARGISNULL(6);
	settings->allow_override = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);
	if (!PG_ARGISNULL(5))
	{
		check_run_types(PG_GETARG_ARRAYTYPE_P(5));
		if (ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(5)), ARR_DIMS(PG_GETARG_ARRAYTYPE_P(5))) >
			0)
			settings->run_types = PG_GETARG_DATUM(5);
	}
	if (settings->on_mismatch != NULL)
		check_on_mismatch(settings->on_mismatch);
	if (settings->reruns != NULL)
		check_reruns(settings->reruns);
	settings->schedule = keep ? text_argument(fcinfo, 10) : "latest";
	settings->schedule_chosen = keep && settings->schedule != NULL;
	if (settings->schedule != NULL)
		check_schedule(settings->schedule);
}

/* The settings of a pin of which nothing else is said; for schedule see choose_schedule(). */
static void
use_defaults(PinSettings *settings)
{
	if (settings->on_mismatch == NULL)
		settings->on_mismatch = "rewrite";
	if (settings->reruns == NULL)
		settings->reruns = "airflow";
	settings->run_types_given = settings->allow_override_given = true;
}

/* "a, b" of a text[] */
static char *
run_types_text(Datum run_types)
{
	StringInfoData names;
	Datum *values;
	int count;

	initStringInfo(&names);
	deconstruct_array(DatumGetArrayTypeP(run_types), TEXTOID, -1, false, TYPALIGN_INT, &values,
					  NULL, &count);
	for (int i = 0; i < count; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? "," : "", TextDatumGetCString(values[i]));
	return names.data;
}

static void
add_kept(StringInfo kept, const char *name, const char *value)
{
	appendStringInfo(kept, "%s%s => '%s'", kept->len > 0 ? ", " : "", name, value);
}

/*
 * What is not given becomes what the DAG's pin in force has, or the default where none is. Returns what
 * was kept and differs from the default, as arguments of pin(); NULL: nothing. To be called with the
 * DAG's pins locked, connected to SPI.
 */
char *
settings_keep(const char *dag_id, PinSettings *settings)
{
	PinSettings now;
	StringInfoData kept;

	if (!pin_store_settings(dag_id, &now))
	{
		use_defaults(settings);
		return NULL;
	}
	initStringInfo(&kept);
	if (settings->on_mismatch == NULL)
	{
		settings->on_mismatch = now.on_mismatch;
		if (strcmp(now.on_mismatch, "rewrite") != 0)
			add_kept(&kept, "on_mismatch", now.on_mismatch);
	}
	if (!settings->run_types_given)
	{
		settings->run_types = now.run_types;
		if (now.run_types != (Datum) 0)
			add_kept(&kept, "run_types", psprintf("{%s}", run_types_text(now.run_types)));
	}
	if (!settings->allow_override_given)
	{
		settings->allow_override = now.allow_override;
		if (now.allow_override)
			add_kept(&kept, "allow_override", "true");
	}
	if (settings->reruns == NULL)
	{
		settings->reruns = now.reruns;
		if (strcmp(now.reruns, "airflow") != 0)
			add_kept(&kept, "reruns", now.reruns);
	}
	if (settings->schedule == NULL && now.schedule_chosen)
	{
		settings->schedule = now.schedule;
		settings->schedule_chosen = true;
		if (strcmp(now.schedule, "pinned") != 0)
			add_kept(&kept, "schedule", now.schedule);
	}
	use_defaults(settings);
	return kept.len > 0 ? kept.data : NULL;
}
