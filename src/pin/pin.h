/*
 * pin.h
 *		A row of pinned_version, and which of a DAG's rows rules.
 */
#ifndef PIN_PIN_H
#define PIN_PIN_H

#include "postgres.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "pin/pinned_content.h"

typedef enum OnMismatch
{
	ON_MISMATCH_REWRITE,
	ON_MISMATCH_REJECT,
	ON_MISMATCH_OBSERVE
} OnMismatch;

/* Bits of Pin.run_types; RUN_TYPES_ALL for a pin without run_types. */
typedef enum RunType
{
	RUN_SCHEDULED = 1 << 0,
	RUN_MANUAL = 1 << 1,
	RUN_BACKFILL = 1 << 2,
	RUN_ASSET_TRIGGERED = 1 << 3,
	RUN_OPERATOR_TRIGGERED = 1 << 4,
	RUN_ASSET_MATERIALIZATION = 1 << 5,
	RUN_UNKNOWN = 1 << 6 /* of a future Airflow: only a pin of all run types holds it */
} RunType;

#define RUN_TYPES_ALL 0xff

/*
 * In SQL: a row of pinned_version is not scheduled, or no longer. One that was made to begin at once
 * stays so when the server's clock is set back.
 */
#define PIN_HAS_BEGUN "(valid_from <= greatest(clock_timestamp(), pinned_at))"

/* In SQL: the row is in force, unless a later one of the DAG is. */
#define PIN_RULES "(" PIN_HAS_BEGUN " AND (expires_at IS NULL OR expires_at > clock_timestamp()))"

/* What enforcement needs of a pin. Texts are NULL for SQL NULL. */
typedef struct Pin
{
	TimestampTz valid_from; /* DT_NOBEGIN: at once, when it was made */
	TimestampTz expires_at; /* DT_NOEND: never */
	pg_uuid_t dag_version_id;
	int32 version_number;
	uint8 on_mismatch;
	uint8 run_types;
	bool allow_override;
	bool hold_reruns;	/* reruns => 'pinned' */
	bool hold_schedule; /* schedule => 'pinned' */
	char *bundle_name;
	char *bundle_version;
	PinnedContent content;
	char *source_code_hash;
} Pin;

/* A DAG's pins, newest valid_from first. */
typedef struct PinList
{
	int count;
	Pin pins[FLEXIBLE_ARRAY_MEMBER];
} PinList;

extern bool on_mismatch_from_name(const char *name, OnMismatch *on_mismatch);
extern RunType run_type_from_name(const char *name, size_t length);
extern const char *run_type_names(void);

extern PinList *pins_read(const char *dag_id, size_t length);
extern PinList *pins_copy(const PinList *list, MemoryContext context);
extern const Pin *pins_ruling(const PinList *list, TimestampTz at);
extern bool pins_are_left(const PinList *list, TimestampTz at);
extern const Pin *pins_holding(const PinList *list, const pg_uuid_t *version, TimestampTz at);

#endif
