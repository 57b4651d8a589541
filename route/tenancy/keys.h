/*
 * Virtual keys: who calls. A read-only index over the keys, built from settings, shared by shards; the SHA-256 of a
 * presented key is looked up, and compared in constant time. A shard remembers the SHA-256 of keys that it has seen
 * (struct key_cache), so that a busy key is hashed once.
 */
#ifndef ROUTE_KEYS_H
#define ROUTE_KEYS_H

#include "core/shard.h"
#include "route/settings/settings.h"

struct key_index;

struct key_index *key_index_make(const struct settings *settings); /* NULL when memory is out */
void key_index_free(struct key_index *index);

enum { KEY_CACHE_SLOTS = 256, KEY_SECRET_BYTES_MAX = 256 };

struct key_cache { /* zero-initialised; one a shard; wiped on close */
	struct key_cache_slot {
		uint64_t hash;
		uint16_t secret_bytes;
		char secret[KEY_SECRET_BYTES_MAX];
		const struct key_settings *key;
		uint64_t until_ns; /* wall; 0: as long as the key */
		uint64_t index_id; /* of the index that found it: a reload makes every slot stale */
	} slots[KEY_CACHE_SLOTS];
};

/*
 * The key with that secret, or NULL; of a rotated key also with the one before, until it ends. Whether the key is
 * disabled, revoked or expired is the caller's to see. Never logs, compares in constant time.
 */
const struct key_settings *key_find(
	const struct key_index *index, struct key_cache *cache, struct slice secret, uint64_t wall_ns);
const struct admin_token_settings *admin_token_find(const struct settings *settings, struct slice secret); /* or NULL */
void key_cache_wipe(struct key_cache *cache);

/* The secret that a request presents: "Authorization: Bearer K" or "x-api-key: K"; NULL data when none. */
struct http_head;
struct slice key_presented(const struct http_head *head);

bool key_allows_model(const struct key_settings *key, struct slice model_id); /* globs: * and ? */
bool key_allows_endpoint(const struct key_settings *key, struct slice name);  /* likewise: project/slug */

/* What routing.allowed_* and routing.blocked_* leave in use; models by globs, providers by name. */
bool routing_allows_model(const struct settings *settings, struct slice model_id);
bool routing_allows_provider(const struct settings *settings, const char *name);
bool glob_match(const char *pattern, struct slice text);

/* CIDR or plain addresses, v4 and v6, v4-mapped v6 as v4. An empty list allows all. */
bool address_allowed(const struct strings *allow, const struct sockaddr_storage *address);

#endif
