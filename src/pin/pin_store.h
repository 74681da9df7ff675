/*
 * pin_store.h
 *		Changes of pinned_version and pin_history.
 */
#ifndef PIN_PIN_STORE_H
#define PIN_PIN_STORE_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "dag/version.h"
#include "pin/pinned_content.h"
#include "compat.h"

/* How a pin holds its DAG. */
typedef struct PinSettings
{
	const char *on_mismatch; /* NULL: not given */
	const char *reruns;		 /* NULL: not given */
	const char *schedule;	 /* NULL: not given */
	bool schedule_chosen;	 /* by somebody, and not by pin() for want of a choice */
	Datum run_types;		 /* text[]; 0: all */
	bool run_types_given;
	bool allow_override;
	bool allow_override_given;
} PinSettings;

/* A pin to be made. Pointers are NULL for SQL NULL. */
typedef struct PinSpec
{
	const char *dag_id;
	const DagVersion *version;
	const char *commit;
	const char *reason;
	PinSettings settings;
	TimestampTz expires_at; /* DT_NOEND: never */
	TimestampTz valid_from; /* DT_NOBEGIN: now */
	PinnedContent content;	/* of the version; its hash is the version's */
} PinSpec;

/* An earlier pin, as pin_history remembers it. */
typedef struct PastPin
{
	int64 history_id;
	int32 version_number;
	char *commit;
	bool in_force;
	bool has_no_end; /* it would rule for ever, if it were not moved */
} PastPin;

extern bool pin_store_has_schedule(void);
extern void pin_store_lock(const char *dag_id);
extern void pin_store_expire(const char *dag_id);
extern void pin_store_expire_all(void);
extern bool pin_store_settings(const char *dag_id, PinSettings *settings);
extern bool pin_store_last(const char *dag_id, PastPin *past);
extern int64 pin_store_before(int64 history_id);
extern bool pin_store_spec(int64 history_id, PinSpec *spec, DagVersion *version);
extern bool pin_store_same(const PinSpec *spec, Datum *pin);
pg_noreturn extern void raise_expired(const PinSpec *spec);
extern Datum pin_store_put(const PinSpec *spec, const char *event, const PastPin *from,
						   int64 restores);
extern bool pin_store_remove(const char *dag_id, const char *reason, Datum *in_force);
extern bool pin_store_scheduled(const char *dag_id);

#endif
