/*
 * role_setting.h
 *		What settings are in the sessions of another role.
 */
#ifndef AIRFLOW_ROLE_SETTING_H
#define AIRFLOW_ROLE_SETTING_H

#include "postgres.h"

extern const char *role_time_zone(Oid role);
extern const char *role_search_path(Oid role);
extern bool role_is_read_only(Oid role);
extern bool time_zone_is_utc(const char *name);
extern bool migrates_in_utc(const char *schema);

#endif
