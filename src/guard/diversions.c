/*
 * diversions.c
 *		The versions whose changes this transaction writes to others.
 *
 * A parse changes a version in several statements, and all of them belong to one version: also where
 * a command moves the pin between two of them. A diversion is forgotten when the transaction ends, or
 * the subtransaction that made it is rolled back.
 */
#include "diversions.h"

#include "access/xact.h"
#include "utils/memutils.h"

typedef struct Diversion
{
	struct Diversion *following;
	SubTransactionId subtransaction;
	pg_uuid_t version;
	pg_uuid_t next;
} Diversion;

static Diversion *diversions;

static void
on_transaction_end(XactEvent event, void *arg pg_attribute_unused())
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		diversions = NULL;
}

static void
on_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
					  void *arg pg_attribute_unused())
{
	for (Diversion **link = &diversions; *link != NULL;)
	{
		Diversion *diversion = *link;

		if (event == SUBXACT_EVENT_ABORT_SUB && diversion->subtransaction == mine)
			*link = diversion->following;
		else
		{
			if (event == SUBXACT_EVENT_COMMIT_SUB && diversion->subtransaction == mine)
				diversion->subtransaction = parent;
			link = &diversion->following;
		}
	}
}

/* From now on in this transaction, what changes "version" is written to "next". */
void
diversion_add(const pg_uuid_t *version, const pg_uuid_t *next)
{
	static bool registered;
	Diversion *diversion = MemoryContextAllocZero(TopTransactionContext, sizeof(Diversion));

	if (!registered)
	{
		RegisterXactCallback(on_transaction_end, NULL);
		RegisterSubXactCallback(on_subtransaction_end, NULL);
		registered = true;
	}
	diversion->subtransaction = GetCurrentSubTransactionId();
	diversion->version = *version;
	diversion->next = *next;
	diversion->following = diversions;
	diversions = diversion;
}

/* Where changes of the version are written to. False: nowhere else. */
bool
diversion_find(const pg_uuid_t *version, pg_uuid_t *next)
{
	for (const Diversion *diversion = diversions; diversion; diversion = diversion->following)
		if (memcmp(&diversion->version, version, sizeof(pg_uuid_t)) == 0)
		{
			*next = diversion->next;
			return true;
		}
	return false;
}

bool
diversions_exist(void)
{
	return diversions != NULL;
}
