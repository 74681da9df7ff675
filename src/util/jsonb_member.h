/*
 * jsonb_member.h
 *		Read what is in a jsonb object.
 */
#ifndef UTIL_JSONB_MEMBER_H
#define UTIL_JSONB_MEMBER_H

#include "postgres.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

extern JsonbValue *json_member(JsonbContainer *object, const char *key);
extern JsonbContainer *json_child(JsonbContainer *object, const char *key);
extern char *json_string(const JsonbValue *value);
extern bool json_string_is(const JsonbValue *value, const char *expected);
extern bool json_timestamp(JsonbValue *value, TimestampTz *timestamp);

#endif
