/*
 * See fake_stream.h. The one place in the tests that keeps its state in the file: it replaces functions that have no
 * handle.
 */
#include "proto/http/tests/fake_stream.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

struct fake {
	struct stream *stream;
	bool open, closed_told, reset, paused, sending;
	const struct iovec *iov;
	unsigned iov_count;
	uint16_t port;
	char sent[FAKE_SENT_MAX];
};

static struct fake fakes[FAKE_STREAMS_MAX];
static unsigned fake_count, buffers_out;

void fake_open(struct shard *shard)
{
	memset(shard, 0, sizeof(*shard));
	shard->now_ns = 1000000000;
	timers_init(&shard->timers, shard->now_ns);
	list_init(&shard->turn_end);
	memset(fakes, 0, sizeof(fakes));
	fake_count = 0;
	buffers_out = 0;
}

static void run_hooks(struct shard *shard)
{
	struct list *link;

	while ((link = list_take_first(&shard->turn_end))) {
		struct turn_hook *hook = container_of(link, struct turn_hook, link);

		hook->run(hook);
	}
}

void fake_turn(struct shard *shard, uint64_t later_ns)
{
	shard->now_ns += later_ns;
	timers_run(&shard->timers, shard->now_ns);
	run_hooks(shard);
	for (unsigned i = 0; i < fake_count; i++) {
		if (fakes[i].open || fakes[i].closed_told)
			continue;
		fakes[i].closed_told = true;
		fakes[i].stream->handler->on_closed(fakes[i].stream);
	}
}

unsigned fake_stream_count(void)
{
	return fake_count;
}

bool fake_stream_open(unsigned number)
{
	return number < fake_count && fakes[number].open;
}

bool fake_stream_paused(unsigned number)
{
	return fakes[number].paused;
}

bool fake_stream_reset(unsigned number)
{
	return fakes[number].reset;
}

uint16_t fake_stream_port(unsigned number)
{
	return fakes[number].port;
}

struct slice fake_stream_sending(unsigned number)
{
	struct fake *f = &fakes[number];
	size_t size = 0;

	for (unsigned i = 0; f->sending && i < f->iov_count; i++) {
		assert(size + f->iov[i].iov_len <= sizeof(f->sent));
		memcpy(f->sent + size, f->iov[i].iov_base, f->iov[i].iov_len);
		size += f->iov[i].iov_len;
	}
	return slice_of(f->sent, size);
}

unsigned fake_buffers_out(void)
{
	return buffers_out;
}

void fake_connected(unsigned number, int result)
{
	assert(fakes[number].open);
	fakes[number].stream->handler->on_connected(fakes[number].stream, result);
}

void fake_sent(unsigned number, int result)
{
	assert(fakes[number].open && fakes[number].sending);
	fakes[number].sending = false;
	fakes[number].stream->handler->on_sent(fakes[number].stream, result);
}

static void release(struct buffer *buffer)
{
	buffers_out--;
	free(buffer->data);
	free(buffer);
}

/*
 * Each delivery has memory of its own, freed with the last reference, so that a sanitizer sees a slice kept for too
 * long.
 */
void fake_received(unsigned number, struct slice bytes)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	assert(fakes[number].open && !fakes[number].paused && buffer);
	buffer->data = malloc(bytes.size + BUFFER_PADDING_BYTES);
	assert(buffer->data);
	memcpy(buffer->data, bytes.data, bytes.size);
	memset(buffer->data + bytes.size, 0, BUFFER_PADDING_BYTES);
	buffer->capacity_bytes = buffer->used_bytes = (uint32_t)bytes.size;
	buffer->references = 1;
	buffer->release = release;
	buffers_out++;
	fakes[number].stream->handler->on_received(fakes[number].stream, slice_of(buffer->data, bytes.size), buffer);
	buffer_give(&buffer);
}

void fake_ended(unsigned number)
{
	assert(fakes[number].open && !fakes[number].paused);
	fakes[number].stream->handler->on_received(fakes[number].stream, slice_of(NULL, 0), NULL);
}

void fake_failed(unsigned number, int error)
{
	assert(fakes[number].open && !fakes[number].paused);
	fakes[number].stream->handler->on_failed(fakes[number].stream, error);
}

static struct fake *find(const struct stream *stream)
{
	for (unsigned i = fake_count; i-- > 0;)
		if (fakes[i].stream == stream)
			return &fakes[i];
	abort();
}

int stream_connect(struct stream *stream, struct shard *shard, const struct sockaddr *address, socklen_t address_bytes,
	const struct stream_handler *handler)
{
	assert(fake_count < FAKE_STREAMS_MAX && address_bytes == sizeof(struct sockaddr_in));
	stream->handler = handler;
	stream->shard = shard;
	fakes[fake_count++] = (struct fake){
		.stream = stream,
		.open = true,
		.port = ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port),
	};
	return 0;
}

/* Nothing here speaks TLS. */
int stream_connect_secure(struct stream *stream, struct shard *shard, const struct sockaddr *address,
	socklen_t address_bytes, const struct stream_handler *handler, struct tls_worker *worker,
	struct tls_target *target)
{
	(void)worker;
	(void)target;
	return stream_connect(stream, shard, address, address_bytes, handler);
}

enum tls_cause stream_tls_cause(const struct stream *stream)
{
	(void)stream;
	return TLS_CAUSE_NONE;
}

void stream_send(struct stream *stream, const struct iovec *iov, unsigned count)
{
	struct fake *f = find(stream);

	assert(f->open && !f->sending && count >= 2);
	f->sending = true;
	f->iov = iov;
	f->iov_count = count;
}

bool stream_sending(const struct stream *stream)
{
	return find(stream)->sending;
}

void stream_pause(struct stream *stream)
{
	find(stream)->paused = true;
}

void stream_resume(struct stream *stream)
{
	find(stream)->paused = false;
}

void stream_close(struct stream *stream, bool reset)
{
	struct fake *f = find(stream);

	assert(f->open);
	f->open = false;
	f->reset = reset;
}
