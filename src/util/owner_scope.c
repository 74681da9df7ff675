/*
 * owner_scope.c
 *		Run SQL as the owner of the tables it touches, independent of search_path.
 *
 * The rule of referential-integrity triggers: what must be read or written for a caller is read
 * and written as the owner of the table in question. So nobody gains a right, triggers that a
 * table's owner put there run with that owner's rights and no others, and a role that may insert
 * runs needs no grant on the extension's tables.
 */
#include "owner_scope.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/syscache.h"

/* Owner of a relation. */
Oid
relation_owner(Oid relation)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
enter(OwnerScope *scope, Oid relation, int context)
{
	Oid owner = relation_owner(relation);

	GetUserIdAndSecContext(&scope->saved_user, &scope->saved_context);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SetUserIdAndSecContext(owner, scope->saved_context | context);
}

/*
 * Become the owner of "relation", a table of the extension, with a search_path that no other role
 * can write to, until owner_scope_leave(). An error in between needs no clean-up: the end of the
 * (sub)transaction restores both.
 */
void
owner_scope_enter(OwnerScope *scope, Oid relation)
{
	enter(scope, relation, SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
}

/*
 * The same for a table of Airflow, whose owner we do not trust: what it may have put there must not
 * leave anything behind that would run later with the caller's rights, such as a deferred trigger.
 */
void
owner_scope_enter_foreign(OwnerScope *scope, Oid relation)
{
	enter(scope, relation,
		  SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS | SECURITY_RESTRICTED_OPERATION);
}

/*
 * Undo it, and with it every setting that was changed in between: a search_path that the owner's
 * code leaves in the session of a superuser would lead the superuser to the owner's functions.
 */
void
owner_scope_leave(OwnerScope *scope)
{
	SetUserIdAndSecContext(scope->saved_user, scope->saved_context);
	AtEOXact_GUC(false, scope->guc_level);
}
