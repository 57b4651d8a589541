/* See worker.h. */
#include "tls/worker.h"

#include "tls/entropy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { BUFFERS_KEPT = 64 };

static void on_turn_end(struct turn_hook *hook)
{
	struct tls_worker *w = container_of(hook, struct tls_worker, hook);
	struct list *link;

	w->steps_left = TLS_HANDSHAKES_A_TURN;
	while (w->steps_left && (link = list_take_first(&w->queue))) {
		struct tls_turn *turn = container_of(link, struct tls_turn, link);

		w->steps_left--;
		turn->run(turn);
	}
	if (w->steps_left < TLS_HANDSHAKES_A_TURN)
		shard_at_turn_end(w->shard, &w->hook);
}

int tls_worker_open(struct tls_worker **out, struct shard *shard)
{
	struct tls_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->entropy = tls_entropy_open();
	if (!w->entropy) {
		free(w);
		return -ENOMEM;
	}
	w->shard = shard;
	w->steps_left = TLS_HANDSHAKES_A_TURN;
	list_init(&w->queue);
	turn_hook_init(&w->hook, on_turn_end);
	*out = w;
	return 0;
}

void tls_worker_close(struct tls_worker *w)
{
	if (!w)
		return;
	assert(!w->buffers_out && list_empty(&w->queue));
	turn_hook_withdraw(&w->hook);
	for (struct buffer *buffer = w->free_buffers, *next; buffer; buffer = next) {
		next = buffer->next;
		free(buffer);
	}
	tls_output_pool_fini(&w->outputs);
	tls_entropy_close(w->entropy);
	free(w);
}

bool tls_worker_admit(struct tls_worker *w, struct tls_turn *turn)
{
	shard_at_turn_end(w->shard, &w->hook);
	if (w->steps_left && list_empty(&w->queue)) {
		w->steps_left--;
		return true;
	}
	if (list_empty(&turn->link)) {
		list_append(&w->queue, &turn->link);
		w->counts.delayed++;
	}
	return false;
}

static void release(struct buffer *buffer)
{
	struct tls_worker *w = buffer->pool;

	w->buffers_out--;
	if (w->free_buffer_count >= BUFFERS_KEPT) {
		free(buffer);
		return;
	}
	buffer->next = w->free_buffers;
	w->free_buffers = buffer;
	w->free_buffer_count++;
}

struct buffer *tls_worker_buffer(struct tls_worker *w)
{
	struct buffer *buffer = w->free_buffers;

	if (buffer) {
		w->free_buffers = buffer->next;
		w->free_buffer_count--;
	} else {
		buffer = calloc(1, sizeof(*buffer) + TLS_RECORD_MAX_BYTES + BUFFER_PADDING_BYTES);
		if (!buffer)
			return NULL;
	}
	*buffer = (struct buffer){.data = (char *)(buffer + 1),
		.capacity_bytes = TLS_RECORD_MAX_BYTES,
		.references = 1,
		.release = release,
		.pool = w};
	w->buffers_out++;
	return buffer;
}
