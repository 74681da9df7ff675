/*
 * check_revisions.c
 *		Check: is it known where the database is, and can the target be reached from there?
 */
#include "postgres.h"

#include "airflow/relations.h"
#include "airflow/revision.h"
#include "health/finding.h"
#include "health/health_check.h"
#include "plan/pending.h"
#include "plan/plan_steps.h"
#include "preflight/checks.h"
#include "util/guarded.h"

#include "access/xlog.h"

typedef struct RevisionCheck
{
	const Preflight *preflight;
	Component component;
	const char *revision;
	List *pending;
} RevisionCheck;

/* GuardedCall */
static void
read_pending(void *arg)
{
	RevisionCheck *check = arg;
	const char *schema = check->preflight->schema;

	check->revision = database_revision(check->component, schema);
	check->pending = pending_revisions(check->component, schema, check->preflight->target);
}

static void
add_error(RevisionCheck *check, Finding *finding, const ErrorData *error)
{
	bool locked = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;

	finding->severity = locked ? SEVERITY_UNKNOWN : SEVERITY_CRITICAL;
	finding->message = error_text(error);
	finding->hint = error->hint;
	findings_add(check->preflight->findings, finding);
}

static void
add_revision(RevisionCheck *check, const ErrorData *error)
{
	const Release *target = check->preflight->target;
	Finding finding = {.check_name = "revision"};

	finding.object = check->component == COMPONENT_CORE ? CORE_VERSION_TABLE : FAB_VERSION_TABLE;
	if (error != NULL)
	{
		add_error(check, &finding, error);
		return;
	}
	finding.value = check->revision;
	finding.message = "FAB keeps no revision yet";
	if (check->revision != NULL)
		finding.message =
			psprintf("revision of %s %s", check->component == COMPONENT_CORE ? "Airflow" : "FAB",
					 plan_releases_with(check->component, check->revision));
	finding.message = psprintf("%s; revisions from there to Airflow %s: %d", finding.message,
							   target->name, list_length(check->pending));
	findings_add(check->preflight->findings, &finding);
}

/* A target that is not known, and older than the database, is no more reachable than a known one. */
static bool
is_behind(const RevisionCheck *core)
{
	const char *revision = core->revision;

	return revision != NULL && plan_position(COMPONENT_CORE, revision) >= 0 &&
		   plan_version_before(core->preflight->target_name,
							   plan_release_of(COMPONENT_CORE, revision));
}

/* Is it known what a migration to the target does? */
static void
check_target(const RevisionCheck *core)
{
	const char *name = core->preflight->target_name;
	const char *release = core->preflight->target->name;
	Finding finding = {.check_name = "target", .object = name};

	if (name == NULL)
		finding.message =
			psprintf("no target was named: Airflow %s is taken, the newest known", release);
	else if (core->preflight->target_known)
		finding.message = psprintf("the checks are for a migration to Airflow %s%s", release,
								   strcmp(name, release) == 0 ? "" : ", which stands for it");
	else if (is_behind(core))
	{
		finding.severity = SEVERITY_CRITICAL;
		finding.message =
			psprintf("the database is newer than Airflow %s: It is at revision "
					 "\"%s\", which came with Airflow %s.",
					 name, core->revision, plan_releases_with(COMPONENT_CORE, core->revision));
		finding.hint = "Name a later release, or none for the newest.";
	}
	else
	{
		finding.severity = SEVERITY_UNKNOWN;
		finding.message = psprintf("what a migration to Airflow %s does is not known", name);
		finding.hint = psprintf("Known are %s; the checks are for %s. Upgrade airflow_pin.",
								plan_releases_text(), release);
	}
	findings_add(core->preflight->findings, &finding);
}

/* Which providers do it, the plan knows from real migrations. */
static void
check_fab_provider(const RevisionCheck *fab)
{
	const Preflight *preflight = fab->preflight;
	const char *target = preflight->target_name && preflight->target_known
							 ? preflight->target_name
							 : preflight->target->name;
	const FabProvider *provider = plan_fab_provider(target);
	Finding finding = {.check_name = "fab_provider", .severity = SEVERITY_WARNING};

	if (fab->revision != NULL || !provider->fails_on_airflow2)
		return;
	finding.object = "apache-airflow-providers-fab";
	finding.value = provider->version;
	finding.message =
		psprintf("FAB %s, with which Airflow %s is installed, fails on tables of Airflow 2 when "
				 "core is migrated already: it creates ab_view_menu, which is there",
				 provider->version, target);
	finding.hint =
		psprintf("So do FAB %s, and no others. Install a later provider with Airflow %s, "
				 "or migrate to a later release.",
				 plan_failing_providers(), target);
	findings_add(preflight->findings, &finding);
}

/* A standby replays what the primary does. */
static void
check_standby(const Preflight *preflight)
{
	if (RecoveryInProgress())
		findings_add(preflight->findings,
					 &(Finding){.check_name = "standby",
								.severity = SEVERITY_CRITICAL,
								.message = "this server is a standby: nothing can be migrated here",
								.hint =
									"What is said of the tables is true of the primary, too, as "
									"far as it is replayed. Ask the primary whether it is "
									"ready."});
}

void
check_revisions(const Preflight *preflight)
{
	RevisionCheck core = {.preflight = preflight, .component = COMPONENT_CORE};
	RevisionCheck fab = {.preflight = preflight, .component = COMPONENT_FAB};
	ErrorData *error;

	check_standby(preflight);
	error = guarded_call(read_pending, &core);
	check_target(&core);
	add_revision(&core, error);
	if (!OidIsValid(airflow_relation_oid(preflight->schema, "ab_user")))
		return;
	error = guarded_call(read_pending, &fab);
	add_revision(&fab, error);
	check_fab_provider(&fab);
}
