/* A ring of records in a mapped file: see journal.h for the form and who does what. */
#include "store/journal.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/disk.h"

enum journal_sizes {
	HEADER_BYTES = 4096,
	FRAME_BYTES = 16,
	/*
	 * A journal that the writer has emptied starts again at its beginning once it is this part of it in, so that a
	 * calm shard works on pages that are mapped, dirty and cached already. Until the writer passes the padding
	 * behind it, only this part can be filled, so it has to hold what comes while the writer is held up: 4 MiB of
	 * 32 are some 17,000 receipts.
	 */
	HOT_PARTS = 8,
};

enum record_kind { RECORD_RECEIPT = 1, RECORD_PADDING = 2 };

enum { JOURNAL_VERSION = 1 };
static const char magic[8] = "TGJOURN";

struct header {
	char magic[8];
	uint32_t version, header_bytes;
	uint64_t capacity, generation, checksum; /* the checksum is of all before it */
};

struct frame {
	uint32_t size, kind;
	uint64_t checksum;
};

static_assert(sizeof(struct frame) == FRAME_BYTES, "positions stay aligned");

struct journal {
	/* Set once. */
	char *map, *ring;
	size_t map_bytes, capacity, hot_bytes;
	uint64_t generation;
	/* The shard's: its own line, since it writes it for each record. */
	_Alignas(64) _Atomic uint64_t head;
	size_t head_offset; /* head % capacity */
	/* The writer's. */
	_Alignas(64) _Atomic uint64_t tail;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}

static uint64_t checksum(
	const struct journal *journal, uint64_t position, uint32_t size, uint32_t kind, const char *payload)
{
	uint64_t sum = kind == RECORD_PADDING ? 0 : XXH3_64bits(payload, size);

	return mix(sum + mix(journal->generation + mix(position + mix((uint64_t)size << 32 | kind))));
}

static size_t aligned(size_t bytes)
{
	return (bytes + FRAME_BYTES - 1) & ~(size_t)(FRAME_BYTES - 1);
}

static void put_frame(struct journal *journal, uint64_t position, size_t offset, uint32_t size, uint32_t kind)
{
	struct frame frame = {
		size, kind, checksum(journal, position, size, kind, journal->ring + offset + FRAME_BYTES)};

	memcpy(journal->ring + offset, &frame, sizeof(frame));
}

static struct header make_header(size_t capacity, uint64_t generation)
{
	struct header header = {.version = JOURNAL_VERSION,
		.header_bytes = HEADER_BYTES,
		.capacity = capacity,
		.generation = generation};

	memcpy(header.magic, magic, sizeof(magic));
	header.checksum = XXH3_64bits(&header, offsetof(struct header, checksum));
	return header;
}

/* NULL path: memory alone. */
static int map_journal(struct journal **journal, const char *path, size_t capacity, uint64_t generation)
{
	struct journal *made = aligned_alloc(64, sizeof(*made));
	int rc;

	*journal = NULL;
	if (!made)
		return -ENOMEM;
	memset(made, 0, sizeof(*made));
	made->map_bytes = HEADER_BYTES + capacity;
	rc = disk_map(&made->map, path, made->map_bytes);
	if (rc < 0) {
		free(made);
		return rc;
	}
	made->ring = made->map + HEADER_BYTES;
	made->capacity = capacity;
	made->generation = generation;
	made->hot_bytes = capacity / HOT_PARTS;
	*journal = made;
	return 0;
}

/* A file of the right size begins a new generation with a new header: what is in it does not check out any more. */
static int make_file(const char *path, size_t capacity, uint64_t generation)
{
	struct header header = make_header(capacity, generation), earlier;
	uint64_t file_bytes;
	int rc = disk_read_head(path, &earlier, sizeof(earlier), &file_bytes);

	if (rc == 0 && file_bytes == HEADER_BYTES + capacity)
		return disk_write_head(path, &header, sizeof(header));
	if (rc < 0 && rc != -ENOENT && rc != -EBADMSG)
		return rc;
	return disk_make(path, HEADER_BYTES + capacity, &header, sizeof(header));
}

int journal_open(struct journal **journal, const char *path, size_t bytes, uint64_t generation)
{
	size_t capacity = ((bytes < JOURNAL_BYTES_MIN ? JOURNAL_BYTES_MIN : bytes) + HEADER_BYTES - 1) &
			  ~(size_t)(HEADER_BYTES - 1);
	int rc = path ? make_file(path, capacity, generation) : 0;

	*journal = NULL;
	if (rc == 0)
		rc = map_journal(journal, path, capacity, generation);
	if (rc < 0)
		return rc;
	/* The pages that are used first, now, not on the shard. */
	disk_warm((*journal)->map, HEADER_BYTES + (*journal)->hot_bytes + JOURNAL_RECORD_BYTES_MAX);
	return 0;
}

int journal_load(struct journal **journal, const char *path)
{
	struct header header, expected;
	uint64_t file_bytes;
	int rc = disk_read_head(path, &header, sizeof(header), &file_bytes);

	*journal = NULL;
	if (rc < 0)
		return rc;
	expected = make_header(header.capacity, header.generation);
	if (memcmp(&header, &expected, sizeof(header)) != 0 || header.capacity < JOURNAL_BYTES_MIN ||
		header.capacity % HEADER_BYTES != 0 || file_bytes != HEADER_BYTES + header.capacity)
		return -EBADMSG;
	return map_journal(journal, path, header.capacity, header.generation);
}

/* The frame at `position` when a record checks out there. The bytes may be anything. */
static bool check_record(const struct journal *journal, uint64_t position, struct frame *frame)
{
	size_t offset = position % journal->capacity;

	memcpy(frame, journal->ring + offset, sizeof(*frame));
	return frame->size <= journal->capacity - offset - FRAME_BYTES &&
	       (frame->kind == RECORD_RECEIPT || frame->kind == RECORD_PADDING) &&
	       frame->checksum ==
		       checksum(journal, position, frame->size, frame->kind, journal->ring + offset + FRAME_BYTES);
}

int journal_recover(struct journal *journal, uint64_t tail)
{
	uint64_t head = tail;
	struct frame frame;

	if (tail % FRAME_BYTES != 0)
		return -EBADMSG;
	while (head - tail < journal->capacity && check_record(journal, head, &frame))
		head += FRAME_BYTES + aligned(frame.size);
	atomic_store(&journal->tail, tail);
	atomic_store(&journal->head, head);
	journal->head_offset = head % journal->capacity;
	return 0;
}

void journal_close(struct journal *journal)
{
	disk_unmap(journal->map, journal->map_bytes);
	free(journal);
}

char *journal_reserve(struct journal *journal, size_t bytes)
{
	uint64_t head = atomic_load_explicit(&journal->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&journal->tail, memory_order_acquire);
	size_t rest = journal->capacity - journal->head_offset, need = FRAME_BYTES + aligned(bytes);
	bool turn = rest < need || (tail == head && journal->head_offset >= journal->hot_bytes);

	assert(bytes <= JOURNAL_RECORD_BYTES_MAX);
	if (head - tail + need + (turn ? rest : 0) > journal->capacity)
		return NULL;
	if (turn) {
		put_frame(journal, head, journal->head_offset, (uint32_t)(rest - FRAME_BYTES), RECORD_PADDING);
		journal->head_offset = 0;
		/* Published with nothing behind it: journal_next() takes it as no record. */
		atomic_store_explicit(&journal->head, head + rest, memory_order_release);
	}
	return journal->ring + journal->head_offset + FRAME_BYTES;
}

uint64_t journal_append(struct journal *journal, size_t bytes)
{
	uint64_t head = atomic_load_explicit(&journal->head, memory_order_relaxed);

	assert(bytes > 0 && bytes <= JOURNAL_RECORD_BYTES_MAX);
	put_frame(journal, head, journal->head_offset, (uint32_t)bytes, RECORD_RECEIPT);
	head += FRAME_BYTES + aligned(bytes);
	journal->head_offset = head % journal->capacity;
	/* Sequentially consistent: the caller then looks whether the writer sleeps, which looks here before it does. */
	atomic_store(&journal->head, head);
	return head;
}

bool journal_next(const struct journal *journal, uint64_t *position, struct slice *record)
{
	uint64_t head = atomic_load(&journal->head);
	struct frame frame;

	while (*position != head) {
		const char *at = journal->ring + *position % journal->capacity;

		memcpy(&frame, at, sizeof(frame));
		*position += FRAME_BYTES + aligned(frame.size);
		if (frame.kind == RECORD_RECEIPT) {
			*record = slice_of(at + FRAME_BYTES, frame.size);
			return true;
		}
	}
	return false;
}

void journal_release(struct journal *journal, uint64_t position)
{
	assert(position >= atomic_load_explicit(&journal->tail, memory_order_relaxed));
	atomic_store_explicit(&journal->tail, position, memory_order_release);
}

uint64_t journal_generation(const struct journal *journal)
{
	return journal->generation;
}

uint64_t journal_head(const struct journal *journal)
{
	return atomic_load(&journal->head);
}

uint64_t journal_tail(const struct journal *journal)
{
	return atomic_load_explicit(&journal->tail, memory_order_acquire);
}

size_t journal_used(const struct journal *journal)
{
	uint64_t tail = atomic_load_explicit(&journal->tail, memory_order_acquire);

	return (size_t)(atomic_load_explicit(&journal->head, memory_order_relaxed) - tail);
}

size_t journal_capacity(const struct journal *journal)
{
	return journal->capacity;
}
