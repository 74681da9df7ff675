/*
 * owner_scope.h
 *		Run SQL as the owner of the tables it touches, independent of search_path.
 */
#ifndef UTIL_OWNER_SCOPE_H
#define UTIL_OWNER_SCOPE_H

#include "postgres.h"

typedef struct OwnerScope
{
	Oid saved_user;
	int saved_context;
	int guc_level;
} OwnerScope;

extern Oid relation_owner(Oid relation);
extern void owner_scope_enter(OwnerScope *scope, Oid relation);
extern void owner_scope_enter_foreign(OwnerScope *scope, Oid relation);
extern void owner_scope_leave(OwnerScope *scope);

#endif
