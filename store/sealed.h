/*
 * Content that is kept apart from receipts and nobody else may read: what conversations need, the answers that an
 * idempotency key stands for, prompts and answers that a workspace wants kept. Rows of KV_SEALED:
 *
 *   'd' purpose, hash of the owner (16), hash of the id (16)
 *       ->  version, key id (8), expiry (8), the row's own key sealed (12 nonce, 32, 16 tag),
 *           nonce (12), text, tag (16)
 *   'x' expiry (8, big-endian), key of the row
 *       ->  nothing: what to look at when its time has come
 *
 * Each row has a random key of its own, which is sealed under a key that is derived from the operator's: so a new one
 * is brought into use by naming the old one beside it, and re-sealing a row is re-sealing 32 bytes. Both layers are
 * AES-256-GCM; what they authenticate beside their bytes is the row's key in the database, its expiry and the id of the
 * key that it is under, so that no row can be taken for another one, or kept alive, by who can write the database
 * alone.
 *
 * The operator's key is TOLLGATE_KEK; without one a file in data_dir, mode 0600, is made at the first start: that
 * guards copies of the database, not of the whole directory.
 */
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include "store/kv.h"

struct sealed;

enum sealed_purpose {
	SEALED_RESPONSE = 'r',
	SEALED_IDEMPOTENCY = 'i',
	SEALED_CONNECTION = 'c',
	SEALED_CONTENT = 'p',
	SEALED_SESSION = 's'
};

/* Whose what: the owner's and the id's text are hashed into the row's key, and do not stand in the database. */
struct sealed_name {
	enum sealed_purpose purpose;
	struct slice owner, id;
};

enum {
	SEALED_VALUE_BYTES_MAX = 64 << 20,
	SEALED_SECRET_BYTES_MIN = 32, /* of TOLLGATE_KEK: 32 random bytes as hexadecimal have 64, as Base64 44 */
};

/*
 * `secret` is what new rows are sealed under, `previous` what older ones may be under too; NULL: none. With neither the
 * file `data_dir`/kek is read or made; where it is there, it opens older rows in any case. On failure `why` tells.
 */
int sealed_open(struct sealed **sealed, struct kv *kv, const char *data_dir, const char *secret, const char *previous,
	char *why, size_t why_bytes);
void sealed_close(struct sealed *sealed);

/*
 * The thread that writes the database. expires_s: wall seconds; 0: never. 0; -ENOMEM; -E2BIG; -EIO: the database takes
 * no more until kv_reopen(). What a name named before is replaced.
 */
int sealed_put(
	struct sealed *sealed, const struct sealed_name *name, struct slice value, uint64_t expires_s, bool sync);
/*
 * Likewise, but what is there already stays unless `replaces` says that the new value takes its place, or it cannot be
 * read: -EEXIST, and *found as sealed_get() gives it.
 */
typedef bool sealed_replaces(struct slice found, struct slice value);
int sealed_claim(struct sealed *sealed, const struct sealed_name *name, struct slice value, uint64_t now_s,
	uint64_t expires_s, bool sync, sealed_replaces *replaces, char **found, size_t *found_size);
int sealed_remove(struct sealed *sealed, const struct sealed_name *name, bool sync); /* -ENOENT: there is none */
/* Removes what has expired, at most so many rows: returns how many were looked at, or -EIO. */
int sealed_expire(struct sealed *sealed, uint64_t now_s, unsigned rows_max);

/*
 * Any thread. 0 and *value, malloc'ed; -ENOENT: there is none, or its time is over; -EBADMSG: it was altered, or is
 * under a key that is not known here; -EIO; -ENOMEM.
 */
int sealed_get(struct sealed *sealed, const struct sealed_name *name, uint64_t now_s, char **value, size_t *size);

#endif
