/*
 * settings.c
 *		The settings airflow_pin.*
 */
#include "settings.h"

#include "utils/guc.h"
#include "utils/timestamp.h"

bool airflow_pin_enabled = true;
char *airflow_pin_airflow_schema = NULL;
int airflow_pin_unpinned_dags = UNPINNED_ALLOW;
bool airflow_pin_log_decisions = true;
int airflow_pin_min_serialized_dag_update_interval = 30;
double airflow_pin_rewrite_mb_per_second = REWRITE_RULE_OF_THUMB;

static const struct config_enum_entry unpinned_dags_options[] = {
	{"allow", UNPINNED_ALLOW, false},
	{"reject", UNPINNED_REJECT, false},
	{NULL, 0, false},
};

/*
 * Settings of pinning are superuser's: each of them can take a pin out of force, or send the
 * extension to look-alike tables. To be called once, when the library is loaded.
 */
void
settings_define(void)
{
	DefineCustomBoolVariable("airflow_pin.enabled", "Obeys pins when DAG runs are inserted.",
							 "The kill switch: when off, runs are created as if no pin existed, "
							 "and pinned versions may be written over or deleted.",
							 &airflow_pin_enabled, true, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomStringVariable("airflow_pin.airflow_schema", "Schema of the Airflow tables.",
							   "Empty: the attached schema, or else the only one that has both "
							   "dag_run and alembic_version.",
							   &airflow_pin_airflow_schema, "", PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable(
		"airflow_pin.unpinned_dags", "What happens to runs of DAGs without a pin.",
		"\"reject\" lets nothing run until it is pinned.", &airflow_pin_unpinned_dags,
		UNPINNED_ALLOW, unpinned_dags_options, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("airflow_pin.log_decisions",
							 "Writes each changed, refused or observed run to the server log too.",
							 "run_decision is always written; failures are always logged.",
							 &airflow_pin_log_decisions, true, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("airflow_pin.min_serialized_dag_update_interval",
							"Airflow's [core] min_serialized_dag_update_interval.",
							"Within it after a change, Airflow does not look whether a commit "
							"has changed a DAG, so that the commit is no version's yet.",
							&airflow_pin_min_serialized_dag_update_interval, 30, 0, SECS_PER_YEAR,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomRealVariable("airflow_pin.rewrite_mb_per_second",
							 "Rate in MB/s at which this server rewrites a table, at best.",
							 "For time estimates, which end at half of this rate. The default is "
							 "the rule of thumb that 100 GB take one to two hours.",
							 &airflow_pin_rewrite_mb_per_second, REWRITE_RULE_OF_THUMB, 0.01, 1e6,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	MarkGUCPrefixReserved("airflow_pin");
}
