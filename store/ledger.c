/* Rows of the ledger: written by the writer, in the order in which they come. See ledger.h. */
#include "store/ledger.h"

#include <errno.h>

#include "store/pack.h"
#include "store/store_internal.h"

enum { VERSION = 1, KEY_BYTES_MAX = 256, VALUE_BYTES_MAX = 512 };

const char *ledger_kind_name(enum ledger_kind kind)
{
	static const char *const names[LEDGER_KINDS] = {"deposit", "refund", "auto_reload"};

	return kind < LEDGER_KINDS ? names[kind] : "?";
}

bool ledger_row_read(struct slice value, struct ledger_row *row)
{
	struct unpacker u = {value.data, value.data + value.size, false};
	uint8_t version = unpack_u8(&u), kind = unpack_u8(&u), size;

	row->kind = kind;
	row->wall_ns = unpack_u64(&u);
	row->amount_nusd = (int64_t)unpack_u64(&u);
	row->credit_nusd = (int64_t)unpack_u64(&u);
	size = unpack_u8(&u);
	row->note = slice_of(unpack_bytes(&u, size), size);
	size = unpack_u8(&u);
	row->reference = slice_of(unpack_bytes(&u, size), size);
	return !u.bad && u.at == u.end && version == VERSION && kind < LEDGER_KINDS;
}

static struct slice prefix_of(char key[static KEY_BYTES_MAX], char table, struct slice workspace)
{
	struct packer p = {key, key + KEY_BYTES_MAX, false};

	pack_u8(&p, (uint8_t)table);
	pack_bytes(&p, workspace.data, workspace.size);
	pack_u8(&p, 0);
	return p.full ? slice_of(NULL, 0) : slice_of(key, (size_t)(p.at - key));
}

static int read_last(struct kv *kv, struct slice prefix, struct ledger_state *state)
{
	char key[KEY_BYTES_MAX + 8];
	struct packer p = {key, key + sizeof(key), false};
	struct kv_walk *walk = kv_walk_open(kv, KV_RECORDS);
	struct ledger_row row;
	int rc;

	*state = (struct ledger_state){0};
	if (!walk)
		return -EIO;
	pack_bytes(&p, prefix.data, prefix.size);
	pack_be64(&p, UINT64_MAX);
	kv_walk_seek_back(walk, slice_of(key, (size_t)(p.at - key)));
	rc = kv_walk_error(walk);
	if (rc == 0 && kv_walk_valid(walk) && slice_starts_with(kv_walk_key(walk), prefix)) {
		struct slice number = slice_after(kv_walk_key(walk), prefix.size);
		struct unpacker u = {number.data, number.data + number.size, false};

		state->number = unpack_be64(&u);
		rc = u.bad || !ledger_row_read(kv_walk_value(walk), &row) ? -EIO : 0;
		state->credit_nusd = rc == 0 ? row.credit_nusd : 0;
	}
	kv_walk_close(walk);
	return rc;
}

int ledger_state(const struct store *store, struct slice workspace, struct ledger_state *state)
{
	char key[KEY_BYTES_MAX];

	return read_last(store->kv, prefix_of(key, 'l', workspace), state);
}

/* ---- a new row, on the writer's thread ---- */

static struct slice reference_key(char key[static KEY_BYTES_MAX], const struct ledger_post *post)
{
	struct slice prefix = prefix_of(key, 'r', post->workspace);

	if (prefix.size + post->reference.size > KEY_BYTES_MAX)
		return slice_of(NULL, 0);
	memcpy(key + prefix.size, post->reference.data, post->reference.size);
	return slice_of(key, prefix.size + post->reference.size);
}

/* 1: the reference is known, and whose number it has. */
static int find_reference(struct kv *kv, struct ledger_post *post)
{
	char key[KEY_BYTES_MAX];
	struct kv_row row;
	int rc;

	if (!post->reference.data)
		return 0;
	rc = kv_get(kv, KV_RECORDS, reference_key(key, post), &row);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	struct unpacker u = {row.value.data, row.value.data + row.value.size, false};

	post->number = unpack_u64(&u);
	post->repeated = true;
	kv_row_fini(&row);
	return u.bad ? -EIO : 1;
}

static void put_text(struct packer *p, struct slice text)
{
	pack_u8(p, (uint8_t)text.size);
	pack_bytes(p, text.data, text.size);
}

static void put_row(struct kv *kv, struct kv_batch *batch, struct slice prefix, const struct ledger_post *post)
{
	char key[KEY_BYTES_MAX + 8], value[VALUE_BYTES_MAX];
	struct packer k = {key, key + sizeof(key), false}, v = {value, value + sizeof(value), false};

	pack_bytes(&k, prefix.data, prefix.size);
	pack_be64(&k, post->number);
	pack_u8(&v, VERSION);
	pack_u8(&v, (uint8_t)post->kind);
	pack_u64(&v, post->wall_ns);
	pack_u64(&v, (uint64_t)post->amount_nusd);
	pack_u64(&v, (uint64_t)post->state.credit_nusd);
	put_text(&v, post->note);
	put_text(&v, post->reference);
	kv_batch_put(
		kv, batch, KV_RECORDS, slice_of(key, (size_t)(k.at - key)), slice_of(value, (size_t)(v.at - value)));
}

static void put_reference(struct kv *kv, struct kv_batch *batch, const struct ledger_post *post)
{
	char key[KEY_BYTES_MAX], value[8];
	struct packer v = {value, value + sizeof(value), false};

	if (!post->reference.data)
		return;
	pack_u64(&v, post->number);
	kv_batch_put(kv, batch, KV_RECORDS, reference_key(key, post), slice_of(value, sizeof(value)));
}

static int add_row(struct store *store, struct ledger_post *post)
{
	char key[KEY_BYTES_MAX];
	struct slice prefix = prefix_of(key, 'l', post->workspace);
	int rc = read_last(store->kv, prefix, &post->state);
	struct kv_batch *batch;

	if (rc == 0)
		rc = find_reference(store->kv, post);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (post->amount_nusd > LEDGER_SUM_MAX_NUSD - post->state.credit_nusd)
		return -ERANGE;
	batch = kv_batch_open();
	if (!batch)
		return -EIO;
	post->number = ++post->state.number;
	post->state.credit_nusd += post->amount_nusd;
	put_row(store->kv, batch, prefix, post);
	put_reference(store->kv, batch, post);
	rc = writer_write(&store->writer, batch);
	kv_batch_close(batch);
	return rc;
}

static void on_posted(struct letter *letter)
{
	struct ledger_post *post = container_of(letter, struct ledger_post, letter);

	post->done(post);
}

static void on_post(struct letter *letter)
{
	struct ledger_post *post = container_of(letter, struct ledger_post, letter);

	post->result = add_row(post->store, post);
	letter->open = on_posted;
	shard_post(post->shard, letter, &post->store->writer.shard);
}

void ledger_post_start(struct store *store, struct ledger_post *post)
{
	post->store = store;
	post->repeated = false;
	post->letter.open = on_post;
	shard_post(&store->writer.shard, &post->letter, post->shard);
}
