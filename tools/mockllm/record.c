/*
 * What the simulator remembers for tests: counters, and the last body of each path. A mutex is fine here: it is held
 * for a copy, and nothing that is measured runs more than one simulator shard against it.
 */
#include "tools/mockllm/mock.h"

#include <pthread.h>
#include <stdlib.h>

struct last {
	char *bytes;
	size_t size, capacity;
};

struct mock_record {
	pthread_mutex_t lock;
	uint64_t requests, streams, completed, active, aborted, aborted_streams, last_abort_ns;
	bool authorized;
	uint64_t body_hash;
	size_t body_bytes;
	enum mock_path path;
	struct last last[MOCK_PATHS];
};

struct mock_record *mock_record_open(void)
{
	struct mock_record *record = calloc(1, sizeof(*record));

	if (record)
		pthread_mutex_init(&record->lock, NULL);
	return record;
}

void mock_record_close(struct mock_record *record)
{
	for (int i = 0; i < MOCK_PATHS; i++)
		free(record->last[i].bytes);
	pthread_mutex_destroy(&record->lock);
	free(record);
}

static void keep(struct last *last, struct slice body)
{
	if (body.size > last->capacity) {
		char *bytes = realloc(last->bytes, body.size);

		if (!bytes)
			return;
		last->bytes = bytes;
		last->capacity = body.size;
	}
	if (body.size)
		memcpy(last->bytes, body.data, body.size);
	last->size = body.size;
}

void mock_record_request(struct mock_record *record, const struct mock_request *r, bool authorized)
{
	pthread_mutex_lock(&record->lock);
	record->requests++;
	record->authorized = authorized;
	record->body_hash = r->hash;
	record->body_bytes = r->body.size;
	record->path = r->path;
	keep(&record->last[r->path], r->body);
	pthread_mutex_unlock(&record->lock);
}

void mock_record_begin(struct mock_record *record, bool stream)
{
	pthread_mutex_lock(&record->lock);
	record->active++;
	record->streams += stream;
	pthread_mutex_unlock(&record->lock);
}

void mock_record_end(struct mock_record *record)
{
	pthread_mutex_lock(&record->lock);
	record->active--;
	record->completed++;
	pthread_mutex_unlock(&record->lock);
}

void mock_record_abort(struct mock_record *record, bool stream, uint64_t wall_ns)
{
	pthread_mutex_lock(&record->lock);
	record->active--;
	record->aborted++;
	record->aborted_streams += stream;
	record->last_abort_ns = wall_ns;
	pthread_mutex_unlock(&record->lock);
}

static void member(struct text *t, const char *name, uint64_t value)
{
	text_literal(t, ",\"");
	text_string(t, name);
	text_literal(t, "\":");
	text_u64(t, value);
}

void mock_record_stats(struct mock_record *record, struct text *t)
{
	uint64_t hash;
	char big_endian[8];

	pthread_mutex_lock(&record->lock);
	text_literal(t, "{\"requests\":");
	text_u64(t, record->requests);
	member(t, "streams", record->streams);
	member(t, "completed", record->completed);
	member(t, "active", record->active);
	member(t, "aborted", record->aborted);
	member(t, "aborted_streams", record->aborted_streams);
	member(t, "last_abort_unix_ns", record->last_abort_ns);
	member(t, "last_body_bytes", record->body_bytes);
	text_literal(t, ",\"last_body_hash\":\"");
	hash = __builtin_bswap64(record->body_hash);
	memcpy(big_endian, &hash, sizeof(hash));
	text_hex(t, big_endian, sizeof(big_endian));
	text_literal(t, "\",\"last_authorization\":");
	text_string(t, record->authorized ? "true}" : "false}");
	pthread_mutex_unlock(&record->lock);
}

struct slice mock_record_last(struct mock_record *record, enum mock_path path)
{
	struct slice copy = {0};
	const struct last *last;
	char *bytes;

	pthread_mutex_lock(&record->lock);
	last = &record->last[path == MOCK_PATHS ? record->path : path];
	bytes = last->size ? malloc(last->size) : NULL;
	if (bytes) {
		memcpy(bytes, last->bytes, last->size);
		copy = slice_of(bytes, last->size);
	}
	pthread_mutex_unlock(&record->lock);
	return copy;
}
