/*
 * bad_rows.c
 *		bad_rows(): rows that make a step of "airflow db migrate" fail, or that it changes.
 *
 * Read out of Airflow's migrations between 2.10 and 3.3.2 (airflow/migrations/versions, whose
 * numbers are the steps in the texts below), and seen with real migrations: test/airflow/preflight.
 * A rule applies where the tables have the shape that its step starts from; see only_if.
 */
#include "bad_rows.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "rows/bad_values.h"
#include "rows/probe.h"
#include "rows/rule.h"
#include "util/result_rows.h"

#define DEFAULT_MAX_ROWS 1000000
#define DEFAULT_MAX_MS 800

#define FAILS(step) "\"airflow db migrate\" fails (step " step ")"

#define DELETE_BAD(table) "DELETE FROM {s}." table " r WHERE {bad};"

#define ORPHAN(severity_, table_, column, parent_, key, only_if_, consequence_, fix_)              \
	{                                                                                              \
		.check_name = "orphans", .severity = severity_, .table = table_, .columns = column,        \
		.only_if = only_if_, .parent = parent_, .parent_key = key,                                 \
		.bad = "r." column " IS NOT NULL AND NOT EXISTS (SELECT FROM {s}." parent_                 \
			   " p WHERE p." key " = r." column ")",                                               \
		.what = "referring to no row in " parent_, .consequence = consequence_, .fix = fix_        \
	}

/* Step 0042 makes the foreign keys to task_instance anew. */
#define TASK_INSTANCE_ORPHAN(table_)                                                               \
	{                                                                                              \
		.check_name = "orphans", .severity = SEVERITY_CRITICAL, .table = table_,                   \
		.columns = "dag_id, task_id, run_id, map_index",                                           \
		.only_if = "task_instance.run_id !task_instance.id", .parent = "task_instance",            \
		.parent_key = "dag_id, task_id, run_id, map_index",                                        \
		.bad = "NOT EXISTS (SELECT FROM {s}.task_instance p WHERE p.dag_id = r.dag_id"             \
			   " AND p.task_id = r.task_id AND p.run_id = r.run_id"                                \
			   " AND p.map_index = r.map_index)",                                                  \
		.what = "referring to no task instance", .consequence = FAILS("0042"),                     \
		.fix = DELETE_BAD(table_)                                                                  \
	}

/* Step 0041 makes those of the dataset tables anew, under their new names. */
#define DATASET_ORPHAN(table, column, parent, key)                                                 \
	ORPHAN(SEVERITY_CRITICAL, table, column, parent, key, NULL, FAILS("0041"), DELETE_BAD(table))

/* Step 0096 takes the team's id, as a text, for its name. */
#define TEAM(table_, fix_)                                                                         \
	{                                                                                              \
		.check_name = "teams", .severity = SEVERITY_CRITICAL, .table = table_,                     \
		.columns = "team_id", .bad = "r.team_id IS NOT NULL", .what = "belonging to a team",       \
		.consequence = FAILS("0096"),                                                              \
		.hint = "Write down who belongs to which team first: it has to be said again afterwards.", \
		.fix = fix_                                                                                \
	}
#define NO_TEAM(table) TEAM(table, "UPDATE {s}." table " r SET team_id = NULL WHERE {bad};")

#define TOO_LONG(severity_, table_, column, bad_, what_, consequence_)                             \
	{                                                                                              \
		.check_name = "long_values", .severity = severity_, .table = table_, .columns = column,    \
		.bad = bad_, .what = what_, .consequence = consequence_,                                   \
		.hint = "Shorten it in the DAG files, too: Airflow 3 takes 1500 characters at most.",      \
		.fix = "UPDATE {s}." table_ " r SET " column " = left(r." column                           \
			   ", 300) || '#' || md5(r." column ") WHERE {bad};"                                   \
	}

#define KEEP_EARLIER_ARCHIVE                                                                       \
	"ALTER TABLE {s}._xcom_archive RENAME TO _xcom_archive_earlier; "                              \
	"ALTER INDEX IF EXISTS {s}._xcom_archive_pkey RENAME TO _xcom_archive_earlier_pkey;"

/* The smaller tables first: what they leave of the time is for the larger ones. */
static const Rule rules[] = {
	NO_TEAM("connection"),
	NO_TEAM("variable"),
	NO_TEAM("slot_pool"),
	TEAM("dag_bundle_team", DELETE_BAD("dag_bundle_team")),
	TOO_LONG(SEVERITY_CRITICAL, "dataset", "uri", "char_length(r.uri) > 1500",
			 "with more than 1500 characters", FAILS("0036")),
	TOO_LONG(SEVERITY_WARNING, "dataset", "uri",
			 "octet_length(r.uri) > 1340 AND char_length(r.uri) <= 1500",
			 "with more than 1340 bytes",
			 "they may not fit in the unique index over name and uri (step 0036)"),
	TOO_LONG(SEVERITY_CRITICAL, "dataset_alias", "name", "char_length(r.name) > 1500",
			 "with more than 1500 characters", FAILS("0039")),
	ORPHAN(SEVERITY_CRITICAL, "dag", "bundle_name", "dag_bundle", "name",
		   "!dag.last_parse_duration", FAILS("0082"),
		   "INSERT INTO {s}.dag_bundle (name, active) SELECT DISTINCT r.bundle_name, false"
		   " FROM {s}.dag r WHERE {bad};"),
	DATASET_ORPHAN("dataset_alias_dataset", "alias_id", "dataset_alias", "id"),
	DATASET_ORPHAN("dataset_alias_dataset", "dataset_id", "dataset", "id"),
	DATASET_ORPHAN("dataset_alias_dataset_event", "alias_id", "dataset_alias", "id"),
	DATASET_ORPHAN("dataset_alias_dataset_event", "event_id", "dataset_event", "id"),
	DATASET_ORPHAN("dag_schedule_dataset_alias_reference", "alias_id", "dataset_alias", "id"),
	DATASET_ORPHAN("dag_schedule_dataset_alias_reference", "dag_id", "dag", "dag_id"),
	DATASET_ORPHAN("dag_schedule_dataset_reference", "dataset_id", "dataset", "id"),
	DATASET_ORPHAN("dag_schedule_dataset_reference", "dag_id", "dag", "dag_id"),
	DATASET_ORPHAN("task_outlet_dataset_reference", "dataset_id", "dataset", "id"),
	DATASET_ORPHAN("task_outlet_dataset_reference", "dag_id", "dag", "dag_id"),
	DATASET_ORPHAN("dataset_dag_run_queue", "dataset_id", "dataset", "id"),
	DATASET_ORPHAN("dataset_dag_run_queue", "target_dag_id", "dag", "dag_id"),
	DATASET_ORPHAN("dagrun_dataset_event", "dag_run_id", "dag_run", "id"),
	DATASET_ORPHAN("dagrun_dataset_event", "event_id", "dataset_event", "id"),
	ORPHAN(SEVERITY_WARNING, "dag_run_note", "dag_run_id", "dag_run", "id", NULL,
		   "no migration fails, but Airflow does not expect it", DELETE_BAD("dag_run_note")),
	ORPHAN(SEVERITY_CRITICAL, "task_instance", "dag_version_id", "dag_version", "id",
		   "!dag_run.triggering_user_name", FAILS("0072"),
		   "UPDATE {s}.task_instance r SET dag_version_id = NULL WHERE {bad};"),
	{.check_name = "deadlines",
	 .severity = SEVERITY_INFO,
	 .fails_to = "3.1.8",
	 .table = "deadline",
	 .columns = "callback_kwargs",
	 .bad = "true",
	 .what = "of Airflow 3.0",
	 .consequence = "step 0080 fails up to Airflow 3.1, and turns them into new ones from 3.2 on",
	 .hint = "Go to Airflow 3.2 or later directly, or empty the table first."},
	TASK_INSTANCE_ORPHAN("task_instance_note"),
	TASK_INSTANCE_ORPHAN("task_map"),
	TASK_INSTANCE_ORPHAN("task_fail"),
	TASK_INSTANCE_ORPHAN("rendered_task_instance_fields"),
	TASK_INSTANCE_ORPHAN("task_instance_history"),
	TASK_INSTANCE_ORPHAN("task_reschedule"),
	TASK_INSTANCE_ORPHAN("xcom"),
	{.check_name = "xcom_archive",
	 .severity = SEVERITY_CRITICAL,
	 .table = "xcom",
	 .columns = "dag_run_id, task_id, map_index, key",
	 .only_if = "xcom.value:bytea _xcom_archive.key",
	 .parent = "_xcom_archive",
	 .parent_key = "dag_run_id, task_id, map_index, key",
	 .bad = "CASE WHEN octet_length(r.value) > 0 THEN get_byte(r.value, 0) = 128 END"
			" AND EXISTS (SELECT FROM {s}._xcom_archive p WHERE p.dag_run_id = r.dag_run_id"
			" AND p.task_id = r.task_id AND p.map_index = r.map_index AND p.key = r.key)",
	 .what = "pickled, and in _xcom_archive of an earlier migration already",
	 .consequence = FAILS("0049"),
	 .fix = KEEP_EARLIER_ARCHIVE},
};

static void
check_bad_rows_within(FindingList *list, const ProbeBudget *budget, const Release *target)
{
	Probe probe;
	int before;
	int applied = 0;

	if (!probe_begin(&probe, list, "bad_rows", budget))
		return;
	probe.target = target;
	before = list_length(list->findings);
	probe.function = "airflow_pin.bad_rows(max_rows => NULL, max_time => NULL)";
	probe_expect(&probe, rules, lengthof(rules));
	expect_bad_values(&probe);
	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		ProbeResult result;

		if (!probe_table(&probe, &rules[i], probe_count_rows, NULL, &result))
			continue;
		probe_report(&probe, &rules[i], &result);
		applied++;
	}
	applied += check_bad_values(&probe);
	if (list_length(list->findings) > before)
		return;
	if (applied > 0)
		findings_add(list, &(Finding){.check_name = "bad_rows",
									  .value = "0",
									  .threshold = "0",
									  .message = psprintf("no bad row; rules: %d", applied)});
	else
		findings_add(list, &(Finding){.check_name = "bad_rows",
									  .message = "no rule is about tables like these"});
}

void
check_bad_rows(const Preflight *preflight)
{
	check_bad_rows_within(preflight->findings, &(ProbeBudget){DEFAULT_MAX_ROWS, DEFAULT_MAX_MS},
						  preflight->target);
}

PG_FUNCTION_INFO_V1(airflow_pin_bad_rows);

/*
 * bad_rows(max_rows bigint, max_time interval, target text)
 */
Datum
airflow_pin_bad_rows(PG_FUNCTION_ARGS)
{
	ProbeBudget budget = probe_budget(fcinfo);
	FindingList *list = findings_begin();
	char *name = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	bool known;
	const Release *target = plan_target(name, &known);

	result_rows_begin(fcinfo);
	check_bad_rows_within(list, &budget, target);
	findings_emit(fcinfo, list, true);
	return (Datum) 0;
}
