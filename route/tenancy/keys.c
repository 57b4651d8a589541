/*
 * Who calls. The index is a hash table over the first 8 bytes of each key's SHA-256 (uniform already), open addressing,
 * at most half full, rotated secrets included. The cache in front of it is direct-mapped by a fast hash of the secret
 * itself. Secrets and their hashes are compared without branching on their bytes; what a caller can time is only
 * whether a slot's fast hash matched.
 */
#include "route/tenancy/keys.h"

#include "proto/http/http.h"

#include <stdlib.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SHA256_BYTES = 32 };

struct key_index {
	uint64_t id; /* random: an index that another one's memory is given to is not taken for it */
	size_t slot_mask;
	struct key_slot { /* two of a key whose secret before its last rotation is good for a while */
		const uint8_t *sha256;
		const struct key_settings *key; /* NULL: empty */
	} slots[];
};

static uint64_t first_bytes(const uint8_t sha256[static SHA256_BYTES])
{
	uint64_t value;

	memcpy(&value, sha256, sizeof(value));
	return value;
}

static bool equal_in_constant_time(const void *a, const void *b, size_t size)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= x[i] ^ y[i];
	return difference == 0;
}

static void add(struct key_index *index, const uint8_t *sha256, const struct key_settings *key)
{
	size_t slot = first_bytes(sha256) & index->slot_mask;

	while (index->slots[slot].key)
		slot = (slot + 1) & index->slot_mask;
	index->slots[slot] = (struct key_slot){sha256, key};
}

struct key_index *key_index_make(const struct settings *settings)
{
	size_t slot_count = 16;
	struct key_index *index;

	while (slot_count < 4 * (size_t)settings->key_count)
		slot_count *= 2;
	index = calloc(1, sizeof(*index) + slot_count * sizeof(index->slots[0]));
	if (!index)
		return NULL;
	rand_system(&index->id, sizeof(index->id));
	index->id |= 1; /* never that of a zeroed cache */
	index->slot_mask = slot_count - 1;
	for (unsigned i = 0; i < settings->key_count; i++)
		add(index, settings->keys[i].secret_sha256, &settings->keys[i]);
	for (unsigned i = 0; i < settings->key_count; i++)
		if (settings->keys[i].previous_until_ns)
			add(index, settings->keys[i].previous_sha256, &settings->keys[i]);
	return index;
}

void key_index_free(struct key_index *index)
{
	free(index);
}

static struct key_slot find_in_index(const struct key_index *index, struct slice secret)
{
	uint8_t sha256[SHA256_BYTES];
	size_t slot;

	if (secret.size > UINT32_MAX || wc_Sha256Hash((const byte *)secret.data, (word32)secret.size, sha256) != 0)
		return (struct key_slot){NULL, NULL};
	slot = first_bytes(sha256) & index->slot_mask;
	while (index->slots[slot].key && !equal_in_constant_time(index->slots[slot].sha256, sha256, sizeof(sha256)))
		slot = (slot + 1) & index->slot_mask;
	return index->slots[slot];
}

/* When the secret that was found ends; 0: not by itself. */
static uint64_t end_of(const struct key_slot *found)
{
	return found->key && found->sha256 == found->key->previous_sha256 ? found->key->previous_until_ns : 0;
}

static const struct key_settings *unless_ended(const struct key_settings *key, uint64_t until_ns, uint64_t wall_ns)
{
	return until_ns && until_ns <= wall_ns ? NULL : key;
}

/* Only secrets that are a key's are remembered, so that guessing evicts nobody. */
const struct key_settings *key_find(
	const struct key_index *index, struct key_cache *cache, struct slice secret, uint64_t wall_ns)
{
	struct key_cache_slot *slot;
	struct key_slot found;
	uint64_t hash;

	if (!secret.size)
		return NULL;
	if (secret.size > KEY_SECRET_BYTES_MAX) {
		found = find_in_index(index, secret);
		return unless_ended(found.key, end_of(&found), wall_ns);
	}
	hash = XXH3_64bits(secret.data, secret.size);
	slot = &cache->slots[hash % KEY_CACHE_SLOTS];
	if (slot->index_id == index->id && slot->hash == hash && slot->secret_bytes == secret.size &&
		equal_in_constant_time(slot->secret, secret.data, secret.size))
		return unless_ended(slot->key, slot->until_ns, wall_ns);
	found = find_in_index(index, secret);
	if (found.key) {
		slot->index_id = index->id;
		slot->hash = hash;
		slot->secret_bytes = (uint16_t)secret.size;
		memcpy(slot->secret, secret.data, secret.size);
		slot->key = found.key;
		slot->until_ns = end_of(&found);
	}
	return unless_ended(found.key, end_of(&found), wall_ns);
}

/* Looks at each of them, and at all of each, so that time tells nothing. */
const struct admin_token_settings *admin_token_find(const struct settings *settings, struct slice secret)
{
	const struct admin_token_settings *found = NULL;
	uint8_t sha256[SHA256_BYTES];

	if (secret.size > KEY_SECRET_BYTES_MAX ||
		wc_Sha256Hash((const byte *)secret.data, (word32)secret.size, sha256) != 0)
		return NULL;
	for (unsigned i = 0; i < settings->admin_token_count; i++)
		if (equal_in_constant_time(settings->admin_tokens[i].secret_sha256, sha256, sizeof(sha256)))
			found = &settings->admin_tokens[i];
	return found;
}

void key_cache_wipe(struct key_cache *cache)
{
	explicit_bzero(cache, sizeof(*cache));
}

/* The scheme's name compares without case, and one or more spaces follow it (RFC 9110 section 11.4). */
struct slice key_presented(const struct http_head *head)
{
	static const struct slice scheme = {"bearer ", 7};
	struct slice value = http_header(head, SLICE("authorization"));

	if (value.size > scheme.size && slice_equal_nocase(slice_of(value.data, scheme.size), scheme)) {
		value = slice_after(value, scheme.size);
		while (value.size && value.data[0] == ' ')
			value = slice_after(value, 1);
		return value;
	}
	return http_header(head, SLICE("x-api-key"));
}
