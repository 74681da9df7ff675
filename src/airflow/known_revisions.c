/*
 * known_revisions.c
 *		Which revisions of Airflow's core tables are known, and in which order they come.
 *
 * What they do is known to the plan of a migration (src/plan), from which this list is made.
 */
#include "known_revisions.h"

typedef struct KnownRevision
{
	const char *revision;
	const char *version;
} KnownRevision;

#define REVISION(revision, version) {revision, version},
static const KnownRevision known_revisions[] = {
#include "core_revisions.inc"
};
#undef REVISION

/* Place in the chain; -1: not known. */
static int
position(const char *revision)
{
	for (int i = 0; i < (int) lengthof(known_revisions); i++)
		if (strcmp(known_revisions[i].revision, revision) == 0)
			return i;
	return -1;
}

bool
core_revision_is_known(const char *revision)
{
	return position(revision) >= 0;
}

/* Does a revision come before another one? False where one of them is not known. */
bool
core_revision_before(const char *revision, const char *other)
{
	int place = position(revision);

	return place >= 0 && place < position(other);
}

/* The newest one, for a message: "d2f4e1b3c5a7 of Airflow 3.3.0". */
const char *
newest_core_revision(void)
{
	const KnownRevision *newest = &known_revisions[lengthof(known_revisions) - 1];

	return psprintf("%s of Airflow %s", newest->revision, newest->version);
}
