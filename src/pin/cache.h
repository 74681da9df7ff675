/*
 * cache.h
 *		dag_id to pins, in each backend.
 */
#ifndef PIN_CACHE_H
#define PIN_CACHE_H

#include "postgres.h"

#include "pin/pin.h"

/* What pin_cache_get() returns of a DAG that it does not know; one without pins has NULL. */
#define PINS_UNKNOWN (&pins_unknown)

extern const PinList pins_unknown;

extern void pin_cache_init(void);
extern const PinList *pin_cache_get(const char *dag_id, size_t length);
extern const PinList *pin_cache_fill(const char *dag_id, size_t length);
extern const PinList *pin_cache_read(const char *dag_id);
extern void pin_cache_announce(void);

#endif
