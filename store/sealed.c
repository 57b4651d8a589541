/* Sealed rows: see sealed.h. */
#include "store/sealed.h"

#include "core/rand.h"
#include "store/disk.h"
#include "store/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha256.h>

enum {
	VERSION = 1,
	KEY_BYTES = 32,
	KEY_ID_BYTES = 8,
	NONCE_BYTES = 12,
	TAG_BYTES = 16,
	HASH_BYTES = 16, /* of an owner and of an id: nobody finds two that collide in 2^64 tries */
	ROW_BYTES = 2 + 2 * HASH_BYTES,
	EXPIRY_BYTES = 1 + 8 + ROW_BYTES,
	HEAD_BYTES = 1 + KEY_ID_BYTES + 8,
	WRAP_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES,
	OVERHEAD_BYTES = HEAD_BYTES + WRAP_BYTES + NONCE_BYTES + TAG_BYTES,
	SECRETS_MAX = 3, /* the current one, the previous one, the file's */
	PATH_BYTES = 4096
};

struct key {
	uint8_t id[KEY_ID_BYTES], key[KEY_BYTES];
};

struct sealed {
	struct kv *kv;
	struct kv_batch *batch;
	unsigned key_count;
	struct key keys[SECRETS_MAX]; /* new rows are sealed under the first */
};

/* ---- keys --------------------------------------------------------------------------------------------------- */

static int add_key(struct sealed *sealed, const void *secret, size_t size)
{
	static const char info[] = "tollgate sealed rows 1";
	struct key *key = &sealed->keys[sealed->key_count];

	_Static_assert(sizeof(*key) == KEY_ID_BYTES + KEY_BYTES, "one derivation gives both");
	if (wc_HKDF(WC_SHA256, secret, (word32)size, NULL, 0, (const byte *)info, sizeof(info) - 1, (byte *)key,
		    sizeof(*key)) != 0)
		return -EIO;
	sealed->key_count++;
	return 0;
}

static int add_secret(struct sealed *sealed, const char *name, const char *secret, char *why, size_t why_bytes)
{
	if (!secret || !secret[0])
		return 0;
	if (strlen(secret) < SEALED_SECRET_BYTES_MIN) {
		snprintf(why, why_bytes,
			"%s is too short: it has to be at least %d characters (32 random bytes as Base64)", name,
			SEALED_SECRET_BYTES_MIN);
		return -EINVAL;
	}
	return add_key(sealed, secret, strlen(secret));
}

static int make_file(const char *path, const char *data_dir, uint8_t secret[static KEY_BYTES])
{
	int rc;

	rand_system(secret, KEY_BYTES);
	rc = disk_make(path, KEY_BYTES, secret, KEY_BYTES);
	return rc < 0 ? rc : disk_sync_names(data_dir);
}

/* Where there is no other secret the file is made; else it is read if it is there. */
static int add_file(struct sealed *sealed, const char *data_dir, char *why, size_t why_bytes)
{
	uint8_t secret[KEY_BYTES];
	char path[PATH_BYTES];
	uint64_t file_bytes;
	int rc = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/kek", data_dir) < (int)sizeof(path))
		rc = disk_read_head(path, secret, sizeof(secret), &file_bytes);
	if (rc == -ENOENT && sealed->key_count)
		return 0;
	if (rc == -ENOENT)
		rc = make_file(path, data_dir, secret);
	if (rc == 0)
		rc = add_key(sealed, secret, sizeof(secret));
	if (rc < 0)
		snprintf(why, why_bytes, "the key file %s/kek cannot be used: %s", data_dir, strerror(-rc));
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

int sealed_open(struct sealed **sealed, struct kv *kv, const char *data_dir, const char *secret, const char *previous,
	char *why, size_t why_bytes)
{
	struct sealed *made = calloc(1, sizeof(*made));
	int rc = -ENOMEM;

	if (made) {
		made->kv = kv;
		made->batch = kv_batch_open();
	}
	if (!made || !made->batch) {
		snprintf(why, why_bytes, "out of memory");
		free(made);
		return rc;
	}
	rc = add_secret(made, "TOLLGATE_KEK", secret, why, why_bytes);
	if (rc == 0 && made->key_count)
		rc = add_secret(made, "TOLLGATE_KEK_PREVIOUS", previous, why, why_bytes);
	if (rc == 0)
		rc = add_file(made, data_dir, why, why_bytes);
	if (rc < 0) {
		sealed_close(made);
		return rc;
	}
	*sealed = made;
	return 0;
}

void sealed_close(struct sealed *sealed)
{
	kv_batch_close(sealed->batch);
	explicit_bzero(sealed->keys, sizeof(sealed->keys));
	free(sealed);
}

static const struct key *find_key(const struct sealed *sealed, const char *id)
{
	for (unsigned i = 0; i < sealed->key_count; i++)
		if (memcmp(sealed->keys[i].id, id, KEY_ID_BYTES) == 0)
			return &sealed->keys[i];
	return NULL;
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

static void hash_text(struct slice text, char *hash)
{
	uint8_t whole[WC_SHA256_DIGEST_SIZE];

	wc_Sha256Hash((const byte *)text.data, (word32)text.size, whole);
	memcpy(hash, whole, HASH_BYTES);
}

static void make_row_key(const struct sealed_name *name, char row[static ROW_BYTES])
{
	row[0] = 'd';
	row[1] = (char)name->purpose;
	hash_text(name->owner, row + 2);
	hash_text(name->id, row + 2 + HASH_BYTES);
}

static void make_expiry_key(uint64_t expires_s, const char *row, char key[static EXPIRY_BYTES])
{
	struct packer p = {key, key + EXPIRY_BYTES, false};

	pack_u8(&p, 'x');
	pack_be64(&p, expires_s);
	pack_bytes(&p, row, ROW_BYTES);
}

/* What both layers authenticate: the row's head and its key in the database. */
struct binding {
	char bytes[HEAD_BYTES + ROW_BYTES];
};

static struct binding bind(const char *head, const char *row)
{
	struct binding binding;

	memcpy(binding.bytes, head, HEAD_BYTES);
	memcpy(binding.bytes + HEAD_BYTES, row, ROW_BYTES);
	return binding;
}

static uint64_t expiry_of(struct slice value)
{
	struct unpacker u = {value.data + 1 + KEY_ID_BYTES, value.data + value.size, false};

	return value.size < HEAD_BYTES ? 0 : unpack_u64(&u);
}

/* `to`: nonce, text, tag. The nonce is random: a key seals one text, or its secret at most 2^32. */
static int seal(const uint8_t key[static KEY_BYTES], const struct binding *binding, struct slice text, char *to)
{
	Aes aes;
	int rc;

	rand_system(to, NONCE_BYTES);
	if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
		return -ENOMEM;
	rc = wc_AesGcmSetKey(&aes, key, KEY_BYTES);
	if (rc == 0)
		rc = wc_AesGcmEncrypt(&aes, (byte *)to + NONCE_BYTES, (const byte *)text.data, (word32)text.size,
			(const byte *)to, NONCE_BYTES, (byte *)to + NONCE_BYTES + text.size, TAG_BYTES,
			(const byte *)binding->bytes, sizeof(binding->bytes));
	wc_AesFree(&aes);
	return rc == 0 ? 0 : -EIO;
}

static int unseal(const uint8_t key[static KEY_BYTES], const struct binding *binding, struct slice from, char *text)
{
	size_t size = from.size - NONCE_BYTES - TAG_BYTES;
	Aes aes;
	int rc;

	if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
		return -ENOMEM;
	rc = wc_AesGcmSetKey(&aes, key, KEY_BYTES);
	if (rc == 0)
		rc = wc_AesGcmDecrypt(&aes, (byte *)text, (const byte *)from.data + NONCE_BYTES, (word32)size,
			(const byte *)from.data, NONCE_BYTES, (const byte *)from.data + NONCE_BYTES + size, TAG_BYTES,
			(const byte *)binding->bytes, sizeof(binding->bytes));
	wc_AesFree(&aes);
	return rc == 0 ? 0 : -EBADMSG;
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static int seal_row(const struct sealed *sealed, const char *row, struct slice value, uint64_t expires_s, char *bytes,
	size_t capacity)
{
	struct packer head = {bytes, bytes + capacity, false};
	uint8_t own[KEY_BYTES];
	struct binding binding;
	int rc;

	pack_u8(&head, VERSION);
	pack_bytes(&head, sealed->keys[0].id, KEY_ID_BYTES);
	pack_u64(&head, expires_s);
	binding = bind(bytes, row);
	rand_system(own, sizeof(own));
	rc = seal(sealed->keys[0].key, &binding, slice_of(own, sizeof(own)), bytes + HEAD_BYTES);
	if (rc == 0)
		rc = seal(own, &binding, value, bytes + HEAD_BYTES + WRAP_BYTES);
	explicit_bzero(own, sizeof(own));
	return rc;
}

int sealed_put(struct sealed *sealed, const struct sealed_name *name, struct slice value, uint64_t expires_s, bool sync)
{
	char row[ROW_BYTES], expiry[EXPIRY_BYTES];
	size_t size = value.size + OVERHEAD_BYTES;
	char *bytes;
	int rc;

	if (value.size > SEALED_VALUE_BYTES_MAX)
		return -E2BIG;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	make_row_key(name, row);
	rc = seal_row(sealed, row, value, expires_s, bytes, size);
	if (rc == 0) {
		kv_batch_clear(sealed->batch);
		kv_batch_put(sealed->kv, sealed->batch, KV_SEALED, slice_of(row, sizeof(row)), slice_of(bytes, size));
		make_expiry_key(expires_s, row, expiry);
		if (expires_s)
			kv_batch_put(sealed->kv, sealed->batch, KV_SEALED, slice_of(expiry, sizeof(expiry)), SLICE(""));
		rc = kv_write(sealed->kv, sealed->batch, sync);
	}
	free(bytes);
	return rc;
}

int sealed_remove(struct sealed *sealed, const struct sealed_name *name, bool sync)
{
	char row[ROW_BYTES], expiry[EXPIRY_BYTES];
	struct kv_row found;
	int rc;

	make_row_key(name, row);
	rc = kv_get(sealed->kv, KV_SEALED, slice_of(row, sizeof(row)), &found);
	if (rc < 0)
		return rc;
	make_expiry_key(expiry_of(found.value), row, expiry);
	kv_row_fini(&found);
	kv_batch_clear(sealed->batch);
	kv_batch_delete(sealed->kv, sealed->batch, KV_SEALED, slice_of(row, sizeof(row)));
	kv_batch_delete(sealed->kv, sealed->batch, KV_SEALED, slice_of(expiry, sizeof(expiry)));
	return kv_write(sealed->kv, sealed->batch, sync);
}

/* A row that was replaced has another expiry now: then only the reminder goes. */
static int expire_row(struct sealed *sealed, struct slice reminder, uint64_t now_s)
{
	struct slice row = slice_after(reminder, 1 + 8);
	struct kv_row found;
	uint64_t expires_s;
	int rc = kv_get(sealed->kv, KV_SEALED, row, &found);

	kv_batch_delete(sealed->kv, sealed->batch, KV_SEALED, reminder);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	expires_s = expiry_of(found.value);
	kv_row_fini(&found);
	if (expires_s && expires_s <= now_s)
		kv_batch_delete(sealed->kv, sealed->batch, KV_SEALED, row);
	return 0;
}

int sealed_expire(struct sealed *sealed, uint64_t now_s, unsigned rows_max)
{
	struct kv_walk *walk = kv_walk_open(sealed->kv, KV_SEALED);
	unsigned count = 0;
	int rc = 0;

	if (!walk)
		return -EIO;
	kv_batch_clear(sealed->batch);
	for (kv_walk_seek(walk, SLICE("x")); rc == 0 && count < rows_max && kv_walk_valid(walk); kv_walk_next(walk)) {
		struct slice key = kv_walk_key(walk);
		struct unpacker u = {key.data + 1, key.data + key.size, false};

		if (key.size != EXPIRY_BYTES || key.data[0] != 'x' || unpack_be64(&u) > now_s)
			break;
		rc = expire_row(sealed, key, now_s);
		count++;
	}
	if (rc == 0)
		rc = kv_walk_error(walk);
	kv_walk_close(walk);
	if (rc == 0 && count)
		rc = kv_write(sealed->kv, sealed->batch, false);
	return rc < 0 ? -EIO : (int)count;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

static int open_row(const struct sealed *sealed, const char *row, struct slice value, char *text)
{
	const struct key *key = find_key(sealed, value.data + 1);
	struct binding binding = bind(value.data, row);
	uint8_t own[KEY_BYTES];
	int rc = -EBADMSG;

	if (key && value.data[0] == VERSION)
		rc = unseal(key->key, &binding, slice_of(value.data + HEAD_BYTES, WRAP_BYTES), (char *)own);
	if (rc == 0)
		rc = unseal(own, &binding, slice_after(value, HEAD_BYTES + WRAP_BYTES), text);
	explicit_bzero(own, sizeof(own));
	return rc;
}

int sealed_get(struct sealed *sealed, const struct sealed_name *name, uint64_t now_s, char **value, size_t *size)
{
	char row[ROW_BYTES];
	struct kv_row found;
	uint64_t expires_s;
	int rc;

	*value = NULL;
	make_row_key(name, row);
	rc = kv_get(sealed->kv, KV_SEALED, slice_of(row, sizeof(row)), &found);
	if (rc < 0)
		return rc;
	expires_s = expiry_of(found.value);
	rc = found.value.size < OVERHEAD_BYTES ? -EBADMSG : expires_s && expires_s <= now_s ? -ENOENT : 0;
	if (rc == 0) {
		*size = found.value.size - OVERHEAD_BYTES;
		*value = malloc(*size + 1);
		rc = *value ? open_row(sealed, row, found.value, *value) : -ENOMEM;
	}
	kv_row_fini(&found);
	if (rc < 0) {
		free(*value);
		*value = NULL;
	}
	return rc;
}

int sealed_claim(struct sealed *sealed, const struct sealed_name *name, struct slice value, uint64_t now_s,
	uint64_t expires_s, bool sync, sealed_replaces *replaces, char **found, size_t *found_size)
{
	int rc = sealed_get(sealed, name, now_s, found, found_size);

	if (rc == 0 && !replaces(slice_of(*found, *found_size), value))
		return -EEXIST;
	free(*found);
	*found = NULL;
	if (rc < 0 && rc != -ENOENT && rc != -EBADMSG)
		return rc;
	return sealed_put(sealed, name, value, expires_s, sync);
}
