/*
 * cache.h
 *		dag_id to pins, in each backend.
 */
#ifndef PIN_CACHE_H
#define PIN_CACHE_H

#include "postgres.h"

#include "utils/rel.h"

#include "pin/pin.h"

extern void pin_cache_init(void);
extern bool pin_cache_get(const char *dag_id, size_t length, const PinList **pins);
extern const PinList *pin_cache_fill(const char *dag_id, size_t length);
extern void pin_cache_announce(Relation pinned_version);

#endif
