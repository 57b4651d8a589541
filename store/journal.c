/* A ring of records in a mapped file: see journal.h for the form and who does what. */
#include "store/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum journal_sizes {
	HEADER_BYTES = 4096,
	FRAME_BYTES = 16,
	/*
	 * A journal that the writer has emptied starts again at its beginning once it is this part of it in, so that a calm shard
	 * works on pages that are mapped, dirty and cached already. Until the writer passes the padding behind it, only this part
	 * can be filled, so it has to hold what comes while the writer is held up: 4 MiB of 32 are some 17,000 receipts.
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

static uint64_t checksum(const struct journal *journal, uint64_t position, uint32_t size, uint32_t kind, const char *payload)
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
	struct frame frame = { size, kind, checksum(journal, position, size, kind, journal->ring + offset + FRAME_BYTES) };

	memcpy(journal->ring + offset, &frame, sizeof(frame));
}

static struct header make_header(size_t capacity, uint64_t generation)
{
	struct header header = { .version = JOURNAL_VERSION, .header_bytes = HEADER_BYTES, .capacity = capacity,
				 .generation = generation };

	memcpy(header.magic, magic, sizeof(magic));
	header.checksum = XXH3_64bits(&header, offsetof(struct header, checksum));
	return header;
}

static int write_all(int fd, const void *bytes, size_t size, off_t offset)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t written = pwrite(fd, at, size, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		at += written;
		offset += written;
		size -= (size_t)written;
	}
	return 0;
}

static int write_header(int fd, size_t capacity, uint64_t generation)
{
	struct header header = make_header(capacity, generation);
	int rc = write_all(fd, &header, sizeof(header), 0);

	return rc < 0 ? rc : fdatasync(fd) < 0 ? -errno : 0;
}

static int write_blocks(int fd, size_t bytes)
{
	enum { CHUNK_BYTES = 1 << 20 };
	char *zeros = calloc(1, CHUNK_BYTES);
	int rc = zeros ? 0 : -ENOMEM;

	for (size_t done = 0; rc == 0 && done < bytes; done += CHUNK_BYTES)
		rc = write_all(fd, zeros, bytes - done < CHUNK_BYTES ? bytes - done : CHUNK_BYTES, (off_t)done);
	free(zeros);
	return rc;
}

/* Under another name until it is whole, so that a crash leaves no half journal. */
static int make_file(const char *path, size_t capacity, uint64_t generation)
{
	char draft[4096];
	int fd, rc;

	if (snprintf(draft, sizeof(draft), "%s.new", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	fd = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_blocks(fd, HEADER_BYTES + capacity);
	if (rc == 0)
		rc = write_header(fd, capacity, generation);
	if (rc == 0 && rename(draft, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(draft);
		close(fd);
		return rc;
	}
	return fd;
}

static int open_file(const char *path, size_t capacity, uint64_t generation)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat status;
	int rc;

	if (fd < 0)
		return errno == ENOENT ? make_file(path, capacity, generation) : -errno;
	if (fstat(fd, &status) < 0 || status.st_size != (off_t)(HEADER_BYTES + capacity)) {
		close(fd);
		return make_file(path, capacity, generation);
	}
	rc = write_header(fd, capacity, generation);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* Takes over `fd`, which is -1 for plain memory. */
static int map_journal(struct journal **journal, int fd, size_t capacity, uint64_t generation)
{
	struct journal *made = aligned_alloc(64, sizeof(*made));
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	int rc = 0;

	*journal = NULL;
	if (!made) {
		rc = -ENOMEM;
		goto out;
	}
	memset(made, 0, sizeof(*made));
	made->map_bytes = HEADER_BYTES + capacity;
	made->map = mmap(NULL, made->map_bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (made->map == MAP_FAILED) {
		rc = -errno;
		free(made);
		goto out;
	}
	made->ring = made->map + HEADER_BYTES;
	made->capacity = capacity;
	made->generation = generation;
	made->hot_bytes = capacity / HOT_PARTS;
	*journal = made;
out:
	if (fd >= 0)
		close(fd); /* the mapping keeps the file */
	return rc;
}

int journal_open(struct journal **journal, const char *path, size_t bytes, uint64_t generation)
{
	size_t capacity = ((bytes < JOURNAL_BYTES_MIN ? JOURNAL_BYTES_MIN : bytes) + HEADER_BYTES - 1) & ~(size_t)(HEADER_BYTES - 1);
	int fd = -1, rc;

	*journal = NULL;
	if (path) {
		fd = open_file(path, capacity, generation);
		if (fd < 0)
			return fd;
	}
	rc = map_journal(journal, fd, capacity, generation);
	if (rc < 0)
		return rc;
	/* The pages that are used first, now, not on the shard. It may be refused (an old kernel): then they come by faults. */
	madvise((*journal)->map, HEADER_BYTES + (*journal)->hot_bytes + JOURNAL_RECORD_BYTES_MAX, MADV_POPULATE_WRITE);
	return 0;
}

int journal_load(struct journal **journal, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct header header, expected;
	struct stat status;
	ssize_t size;

	*journal = NULL;
	if (fd < 0)
		return -errno;
	size = pread(fd, &header, sizeof(header), 0);
	if (size != (ssize_t)sizeof(header) || fstat(fd, &status) < 0) {
		close(fd);
		return -EBADMSG;
	}
	expected = make_header(header.capacity, header.generation);
	if (memcmp(&header, &expected, sizeof(header)) != 0 || header.capacity < JOURNAL_BYTES_MIN ||
	    header.capacity % HEADER_BYTES != 0 || (uint64_t)status.st_size != HEADER_BYTES + header.capacity) {
		close(fd);
		return -EBADMSG;
	}
	return map_journal(journal, fd, header.capacity, header.generation);
}

/* The frame at `position` when a record checks out there. The bytes may be anything. */
static bool check_record(const struct journal *journal, uint64_t position, struct frame *frame)
{
	size_t offset = position % journal->capacity;

	memcpy(frame, journal->ring + offset, sizeof(*frame));
	return frame->size <= journal->capacity - offset - FRAME_BYTES &&
	       (frame->kind == RECORD_RECEIPT || frame->kind == RECORD_PADDING) &&
	       frame->checksum == checksum(journal, position, frame->size, frame->kind, journal->ring + offset + FRAME_BYTES);
}

void journal_recover(struct journal *journal, uint64_t tail)
{
	uint64_t head = tail & ~(uint64_t)(FRAME_BYTES - 1);
	struct frame frame;

	while (head - tail < journal->capacity && check_record(journal, head, &frame))
		head += FRAME_BYTES + aligned(frame.size);
	atomic_store(&journal->tail, tail);
	atomic_store(&journal->head, head);
	journal->head_offset = head % journal->capacity;
}

void journal_close(struct journal *journal)
{
	munmap(journal->map, journal->map_bytes);
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
