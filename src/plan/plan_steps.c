/*
 * plan_steps.c
 *		What is known of Airflow's migrations: releases, revisions, and the steps of each.
 *
 * The knowledge itself is migration_steps.inc, made by tools/migration-plan/generate from real
 * migrations. Revisions of a component are there in their order, which is a chain without branches.
 */
#include "plan_steps.h"

#include "lib/stringinfo.h"

#define RELEASE(release, core, fab, provider) {release, core, fab, provider},
#define MIGRATION(which, id, of_version, since)
#define STEP(table, text, lock, class, bits, columns, new_name)
#define NAME(bits, kind, of_table, object, text)
#define PROVIDER(first_release, provider, fails)
static const Release releases[] = {
#include "migration_steps.inc"
};
#undef RELEASE
#undef MIGRATION
#undef STEP
#undef PROVIDER

#define RELEASE(release, core, fab, provider)
#define MIGRATION(which, id, of_version, since)
#define STEP(table, text, lock, class, bits, columns, new_name)
#define PROVIDER(first_release, provider, fails) {first_release, provider, fails},
static const FabProvider providers[] = {
#include "migration_steps.inc"
};
#undef MIGRATION
#undef STEP
#undef PROVIDER

#define PROVIDER(first_release, provider, fails)
#define MIGRATION(which, id, of_version, since)                                                    \
	{.component = which, .revision = id, .version = of_version, .release = since},
#define STEP(table, text, lock, class, bits, columns, new_name)                                    \
	{.relation = table,                                                                            \
	 .operation = text,                                                                            \
	 .lock_mode = lock,                                                                            \
	 .cost = class,                                                                                \
	 .flags = bits,                                                                                \
	 .index_columns = columns,                                                                     \
	 .renamed = new_name},
static const PlanEntry entries[] = {
#include "migration_steps.inc"
};

/* The release of that name, or the newest for NULL; NULL when it is not known. */
const Release *
plan_release(const char *name)
{
	if (name == NULL)
		return &releases[lengthof(releases) - 1];
	for (int i = 0; i < (int) lengthof(releases); i++)
		if (strcmp(releases[i].name, name) == 0)
			return &releases[i];
	return NULL;
}

typedef struct Version
{
	int major;
	int minor;
	int patch;
} Version;

/* Reads a version's name, with or without its patch release; false for what is none. */
static bool
read_version(const char *name, Version *version)
{
	char first[10];
	char second[10];
	int read = 0;

	if (sscanf(name, "%9[0-9].%9[0-9]%n", first, second, &read) < 2)
		return false;
	name += read;
	if (*name != '\0' && (name[0] != '.' || strspn(name + 1, "0123456789") == 0))
		return false;
	version->major = atoi(first);
	version->minor = atoi(second);
	version->patch = *name != '\0' ? atoi(name + 1) : PG_INT32_MAX;
	return true;
}

/* Without a patch release it is the last one of its minor version. */
static bool
is_earlier(const Version *one, const Version *other)
{
	if (one->major != other->major)
		return one->major < other->major;
	if (one->minor != other->minor)
		return one->minor < other->minor;
	return one->patch < other->patch;
}

/*
 * The known release that stands for a version of Airflow, NULL for the newest. Patch releases
 * hardly ever migrate anything, so any of the same major and minor version does; for a version
 * without one, which is not known then, the newest release is returned. Raises an error for what is
 * no version.
 */
const Release *
plan_target(const char *name, bool *known)
{
	Version version;
	char *prefix;

	*known = true;
	if (name == NULL)
		return plan_release(NULL);
	if (!read_version(name, &version))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not a version of Airflow", name),
						errhint("Name it like 3.3.2.")));
	prefix = psprintf("%d.%d.", version.major, version.minor);
	for (int i = lengthof(releases) - 1; i >= 0; i--)
		if (strncmp(releases[i].name, prefix, strlen(prefix)) == 0)
			return &releases[i];
	*known = false;
	return plan_release(NULL);
}

/* The same; raises an error for one that is not known, too. */
const Release *
plan_known_target(const char *name)
{
	bool known;
	const Release *target = plan_target(name, &known);

	if (!known)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown Airflow release \"%s\"", name),
						errdetail("Known are %s.", plan_releases_text()),
						errhint("Name the known release that comes next before or after it, or "
								"none for the newest.")));
	return target;
}

/* Is a version of an earlier major or minor version than another one? */
bool
plan_version_before(const char *name, const char *other)
{
	Version version;
	Version other_version;

	if (!read_version(name, &version) || !read_version(other, &other_version))
		return false;
	version.patch = other_version.patch = 0;
	return is_earlier(&version, &other_version);
}

/* The FAB provider that a release is installed with: of several that came with it the first. */
const FabProvider *
plan_fab_provider(const char *release)
{
	const FabProvider *found = &providers[0];
	Version version;
	Version first;

	if (!read_version(release, &version))
		return found;
	for (int i = 1; i < (int) lengthof(providers); i++)
		if (strcmp(providers[i].release, found->release) != 0 &&
			read_version(providers[i].release, &first) && !is_earlier(&version, &first))
			found = &providers[i];
	return found;
}

/* The FAB providers that fail on a database of Airflow 2, as a list for a message. */
const char *
plan_failing_providers(void)
{
	StringInfoData text;
	const char *last = "";

	initStringInfo(&text);
	for (int i = 0; i < (int) lengthof(providers); i++)
		if (providers[i].fails_on_airflow2 && strcmp(providers[i].version, last) != 0)
		{
			last = providers[i].version;
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", last);
		}
	return text.data;
}

/* The newest release whose core head a revision is, or NULL. */
const Release *
plan_release_at(const char *revision)
{
	for (int i = lengthof(releases) - 1; i >= 0; i--)
		if (strcmp(releases[i].core_revision, revision) == 0)
			return &releases[i];
	return NULL;
}

/* Where every plan starts at the earliest. */
const Release *
plan_first_release(void)
{
	return &releases[0];
}

/* The known releases as a list for a message. */
const char *
plan_releases_text(void)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < (int) lengthof(releases); i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", releases[i].name);
	return text.data;
}

static bool
is_revision(const PlanEntry *entry, Component component, const char *revision)
{
	return entry->revision != NULL && entry->component == component &&
		   strcmp(entry->revision, revision) == 0;
}

/*
 * Where a revision is in its component's chain: an opaque number that grows along it, or -1 when it
 * is not known. NULL stands for the time before the first revision.
 */
int
plan_position(Component component, const char *revision)
{
	if (revision == NULL ||
		(component == COMPONENT_CORE && strcmp(revision, releases[0].core_revision) == 0))
		return 0;
	for (int i = 0; i < (int) lengthof(entries); i++)
		if (is_revision(&entries[i], component, revision))
			return i + 1;
	return -1;
}

/* The version that a known revision belongs to. */
const char *
plan_release_of(Component component, const char *revision)
{
	int position = plan_position(component, revision);

	return position > 0 ? entries[position - 1].version : releases[0].name;
}

/*
 * The same for a message: all known releases whose head the revision is, "2.10.5 to 2.11.2", where
 * they are several.
 */
const char *
plan_releases_with(Component component, const char *revision)
{
	const char *first = NULL;
	const char *last = NULL;

	for (int i = 0; component == COMPONENT_CORE && i < (int) lengthof(releases); i++)
		if (strcmp(releases[i].core_revision, revision) == 0)
		{
			last = releases[i].name;
			first = first ? first : last;
		}
	return first == last ? plan_release_of(component, revision) : psprintf("%s to %s", first, last);
}

/* Is the form of a revision that first came with "release" in "target" already? */
static bool
is_in_release(const char *release, const Release *target)
{
	return plan_release(release) <= target;
}

/*
 * The revisions of a component that are after a position, up to those of a release: a list of
 * entries, each the form that this release has.
 */
List *
plan_revisions(Component component, int after, const Release *target)
{
	const char *last_revision =
		component == COMPONENT_CORE ? target->core_revision : target->fab_revision;
	int last = plan_position(component, last_revision);
	List *found = NIL;

	for (int i = 0; i < (int) lengthof(entries); i++)
	{
		const PlanEntry *entry = &entries[i];

		if (entry->revision == NULL || entry->component != component ||
			!is_in_release(entry->release, target) ||
			plan_position(component, entry->revision) <= after ||
			plan_position(component, entry->revision) > last)
			continue;
		if (found != NIL && is_revision(llast(found), component, entry->revision))
			found = list_delete_last(found);
		found = lappend(found, unconstify(PlanEntry *, entry));
	}
	return found;
}

/* The step that follows a revision or a step of it; NULL after the last. */
const PlanEntry *
plan_next_step(const PlanEntry *entry)
{
	const PlanEntry *next = entry + 1;

	return next < entries + lengthof(entries) && next->revision == NULL ? next : NULL;
}
