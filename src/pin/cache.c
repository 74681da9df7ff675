/*
 * cache.c
 *		dag_id to pins, in each backend.
 *
 * The cache holds only DAGs that this backend has inserted runs of, or whose versions or re-runs it
 * has looked at, pinned or not, and no more than CACHE_LIMIT bytes: when it is full it starts anew.
 *
 * Any change of pinned_version sends a relcache invalidation of pin_lock (pin_cache_announce, from a
 * trigger on that table): at commit to all backends, at once to this one, and again to this one
 * when the change is rolled back. Not one of pinned_version, because then every statement on it is
 * planned again; nor of its index, which can become another one meanwhile (REINDEX CONCURRENTLY).
 * Receiving one only moves "generation" on; an entry of an older generation is read again when its
 * DAG's next run comes. So the next insert after the commit of a pin obeys it, and a change of one
 * pin costs other DAGs one index lookup each.
 */
#include "cache.h"

#include "utils/inval.h"
#include "utils/memutils.h"

#include "airflow/dag_run_columns.h"
#include "relation/relation.h"

#define CACHE_LIMIT (12 * 1024 * 1024)

/* What a processor fetches from memory at once; nearly all of them do. */
#define CACHE_LINE 64

/* A dag_id: the text itself when it is short, else a pointer to it. A key to look for is a pointer. */
typedef struct CacheKey
{
	union
	{
		char text[32];
		const char *pointer;
	} dag_id;
	uint32 length;
	bool is_pointer;
} CacheKey;

/*
 * One cache line. A DAG's entry is read so seldom that it comes from memory, and each line that has
 * to be fetched from there takes as long as all else that is done for a run that no pin touches.
 */
typedef struct CacheEntry
{
	CacheKey key;
	PinList *pins; /* NULL: not pinned */
	uint64 generation;
	uint32 hash;
	char status;
} CacheEntry;

StaticAssertDecl(sizeof(CacheEntry) <= CACHE_LINE,
				 "an entry of the cache is longer than a cache line");

static inline CacheKey
key_of(const char *dag_id, size_t length)
{
	return (CacheKey){.dag_id.pointer = dag_id, .length = length, .is_pointer = true};
}

static inline const char *
key_text(const CacheKey *key)
{
	return key->is_pointer ? key->dag_id.pointer : key->dag_id.text;
}

static inline bool
same_key(const CacheKey *a, const CacheKey *b)
{
	return a->length == b->length && memcmp(key_text(a), key_text(b), a->length) == 0;
}

/*
 * A hash by words, of which the last two may overlap: hash_bytes() would take a fifth of all that an
 * unpinned run costs. The second multiplication lets the last bytes reach the bits that the table uses.
 */
static inline uint32
hash_dag_id(const char *dag_id, uint32 length)
{
	const uint64 multiplier = UINT64CONST(0x9E3779B97F4A7C15);
	const char *end = dag_id + length;
	uint64 hash = length;
	uint64 word = 0;

	if (length < sizeof(word))
		while (dag_id < end)
			word = word << 8 | (unsigned char) *dag_id++;
	else
	{
		for (; end - dag_id > (ptrdiff_t) sizeof(word); dag_id += sizeof(word))
		{
			memcpy(&word, dag_id, sizeof(word));
			hash = (hash ^ word) * multiplier;
			hash ^= hash >> 32;
		}
		memcpy(&word, end - sizeof(word), sizeof(word));
	}
	hash = (hash ^ word) * multiplier;
	hash ^= hash >> 32;
	return (uint32) ((hash * multiplier) >> 32);
}

#define SH_PREFIX pincache
#define SH_ELEMENT_TYPE CacheEntry
#define SH_KEY_TYPE CacheKey
#define SH_KEY key
#define SH_HASH_KEY(table, k) hash_dag_id(key_text(&(k)), (k).length)
#define SH_EQUAL(table, a, b) same_key(&(a), &(b))
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#define SH_USE_NONDEFAULT_ALLOCATOR
#include "lib/simplehash.h"

/* Entries that begin where cache lines do. Before the first one stands what pincache_free() frees. */
static inline void *
pincache_allocate(pincache_hash *table, Size size)
{
	char *chunk = MemoryContextAllocExtended(table->ctx, size + sizeof(chunk) + CACHE_LINE,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Size header = sizeof(chunk);
	void **entries;

	header += CACHE_LINE - (uintptr_t) (chunk + header) % CACHE_LINE;
	entries = (void **) (chunk + header);
	entries[-1] = chunk;
	return entries;
}

static inline void
pincache_free(pincache_hash *table pg_attribute_unused(), void *entries)
{
	pfree(((void **) entries)[-1]);
}

const PinList pins_unknown;

static MemoryContext cache_context;
static pincache_hash *cache;
static uint64 generation;
static Oid pinned_version_relation;
static Oid pin_lock_relation;

/*
 * Relcache invalidation; InvalidOid stands for every relation, and pinned_version itself for DDL on
 * it. Must not touch the cache itself.
 */
static void
on_relcache_invalidation(Datum arg pg_attribute_unused(), Oid relation)
{
	if (relation == InvalidOid || relation == pinned_version_relation ||
		relation == pin_lock_relation)
		generation++;
	dag_run_columns_forget(relation);
}

/*
 * Register the callback, once for each backend and before anything is cached.
 */
void
pin_cache_init(void)
{
	CacheRegisterRelcacheCallback(on_relcache_invalidation, (Datum) 0);
}

/*
 * The DAG's pins, or NULL when it has none; PINS_UNKNOWN when it is not known, or no longer: call
 * pin_cache_fill(). Takes no lock and no snapshot. Valid until the next call of this file.
 *
 * Pending invalidations are received first, because an insert by a session that already holds its
 * lock on dag_run does not receive any on its own.
 */
const PinList *
pin_cache_get(const char *dag_id, size_t length)
{
	CacheEntry *entry;

	AcceptInvalidationMessages();
	if (unlikely(cache == NULL))
		return PINS_UNKNOWN;
	entry = pincache_lookup(cache, key_of(dag_id, length));
	if (unlikely(entry == NULL || entry->generation != generation))
		return PINS_UNKNOWN;
	return entry->pins;
}

static void
start_anew(void)
{
	cache = NULL;
	if (cache_context == NULL)
		cache_context =
			AllocSetContextCreate(CacheMemoryContext, "airflow_pin pins", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(cache_context);
	cache = pincache_create(cache_context, 128, NULL);
}

/* A key for an entry of its own: it has the dag_id, or a copy of it. */
static CacheKey
key_to_keep(const char *dag_id, size_t length)
{
	CacheKey key = {.length = length};
	char *text = key.dag_id.text;

	if (length > sizeof(key.dag_id.text))
	{
		text = MemoryContextAlloc(cache_context, length);
		key.dag_id.pointer = text;
		key.is_pointer = true;
	}
	memcpy(text, dag_id, length);
	return key;
}

/* The DAG's entry, made if need be: memory may run out while the table grows, and ruin it. */
static CacheEntry *
entry_of(const char *dag_id, size_t length)
{
	CacheKey key = key_to_keep(dag_id, length);
	pincache_hash *table = cache;
	CacheEntry *entry;
	bool found;

	cache = NULL;
	entry = pincache_insert(table, key, &found);
	cache = table;
	return entry;
}

static void
store(const char *dag_id, size_t length, const PinList *pins, uint64 read_at)
{
	CacheEntry *entry;
	PinList *copy;

	if (cache == NULL || MemoryContextMemAllocated(cache_context, true) > CACHE_LIMIT)
		start_anew();

	copy = pins_copy(pins, cache_context);
	entry = pincache_lookup(cache, key_of(dag_id, length));
	if (entry == NULL)
		entry = entry_of(dag_id, length);
	else if (entry->pins != NULL)
		pfree(entry->pins);
	entry->pins = copy;
	entry->generation = read_at;
}

/*
 * Read the DAG's pins from the table into the cache and return them, or NULL when it has none.
 * Needs a transaction; takes AccessShareLock on pinned_version and a snapshot of its own. Raises
 * what reading a table can raise.
 */
const PinList *
pin_cache_fill(const char *dag_id, size_t length)
{
	const PinList *pins;
	uint64 read_at;

	pinned_version_relation = pin_relation("pinned_version");
	pin_lock_relation = pin_relation("pin_lock");
	read_at = generation;
	pins = pins_read(dag_id, length);
	store(dag_id, length, pins, read_at);
	return pins;
}

/*
 * The DAG's pins, from the cache or else from the table; like pin_cache_fill() in all else.
 */
const PinList *
pin_cache_read(const char *dag_id)
{
	const PinList *pins = pin_cache_get(dag_id, strlen(dag_id));

	return pins == PINS_UNKNOWN ? pin_cache_fill(dag_id, strlen(dag_id)) : pins;
}

/*
 * Tell every backend that pins have changed, once this transaction commits.
 */
void
pin_cache_announce(void)
{
	CacheInvalidateRelcacheByRelid(pin_relation("pin_lock"));
}
