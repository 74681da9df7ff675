/*
 * writing_roles.h
 *		Do settings of the roles that insert runs switch pins off?
 */
#ifndef ATTACH_WRITING_ROLES_H
#define ATTACH_WRITING_ROLES_H

#include "postgres.h"

/* May answer for sessions whose session_replication_role is replica: why not, or NULL. */
typedef const char *(*ReplicaObstacle)(void *arg);

extern const char *writing_roles_obstacle(Oid dag_run, ReplicaObstacle replica, void *arg,
										  const char **hint);

#endif
