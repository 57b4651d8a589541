/* See worker.h. */
#include "tls/worker.h"

#include "core/rand.h"
#include "tls/entropy.h"
#include "tls/secret_heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { BUFFERS_KEPT = 64 };

static void run(struct tls_worker *w, struct tls_turn *turn)
{
	tls_worker_withdraw(w, turn);
	w->steps_left--;
	turn->run(turn);
}

static void begin_some(struct tls_worker *w)
{
	while (w->steps_left && !list_empty(&w->to_begin)) {
		struct tls_turn *turn = container_of(w->to_begin.next, struct tls_turn, link);

		if (!tls_ration_take(&w->ration, shard_now_ns(w->shard))) {
			timer_arm(&w->shard->timers, &w->timer, tls_ration_next_ns(&w->ration));
			return;
		}
		turn->begun = true;
		run(w, turn);
	}
}

static void on_turn_end(struct turn_hook *hook)
{
	struct tls_worker *w = container_of(hook, struct tls_worker, hook);

	w->steps_left = TLS_HANDSHAKES_A_TURN;
	while (w->steps_left && !list_empty(&w->queue))
		run(w, container_of(w->queue.next, struct tls_turn, link));
	begin_some(w);
	if (w->steps_left < TLS_HANDSHAKES_A_TURN)
		shard_at_turn_end(w->shard, &w->hook);
}

static void on_timer(struct timer *timer)
{
	struct tls_worker *w = container_of(timer, struct tls_worker, timer);

	shard_at_turn_end(w->shard, &w->hook);
}

int tls_worker_open(struct tls_worker **out, struct shard *shard)
{
	struct tls_worker *w = calloc(1, sizeof(*w));
	uint64_t seed;

	if (!w)
		return -ENOMEM;
	secret_heap_prepare();
	w->entropy = tls_entropy_open();
	if (!w->entropy) {
		free(w);
		return -ENOMEM;
	}
	w->shard = shard;
	w->steps_left = TLS_HANDSHAKES_A_TURN;
	list_init(&w->queue);
	list_init(&w->to_begin);
	timer_init(&w->timer, on_timer);
	rand_system(&seed, sizeof(seed));
	tls_ration_init(&w->ration, seed);
	turn_hook_init(&w->hook, on_turn_end);
	*out = w;
	return 0;
}

void tls_worker_close(struct tls_worker *w)
{
	if (!w)
		return;
	assert(!w->buffers_out && list_empty(&w->queue) && list_empty(&w->to_begin));
	if (timer_armed(&w->timer))
		timer_disarm(&w->shard->timers, &w->timer);
	turn_hook_withdraw(&w->hook);
	for (struct buffer *buffer = w->free_buffers, *next; buffer; buffer = next) {
		next = buffer->next;
		free(buffer);
	}
	tls_output_pool_fini(&w->outputs);
	tls_entropy_close(w->entropy);
	free(w);
}

void tls_worker_configure(struct tls_worker *w, uint32_t per_s, uint32_t per_ip_per_s)
{
	w->ration.per_s = per_s;
	w->ration.per_ip_per_s = per_ip_per_s;
}

bool tls_worker_takes(struct tls_worker *w, const struct sockaddr_storage *peer)
{
	bool takes = tls_ration_take_from(&w->ration, peer, shard_now_ns(w->shard));

	w->counts.failed[TLS_SERVER_SIDE][TLS_CAUSE_RATE_OF_IP] += !takes;
	return takes;
}

static enum tls_admission wait(struct tls_worker *w, struct list *queue, struct tls_turn *turn)
{
	list_append(queue, &turn->link);
	w->counts.delayed++;
	return TLS_WAITS;
}

static enum tls_admission begin(struct tls_worker *w, struct tls_turn *turn)
{
	if (w->steps_left && list_empty(&w->queue) && list_empty(&w->to_begin) &&
		tls_ration_take(&w->ration, shard_now_ns(w->shard))) {
		turn->begun = true;
		w->steps_left--;
		return TLS_ADMITTED;
	}
	if (w->ration.per_s && w->to_begin_count >= w->ration.per_s) {
		w->counts.failed[TLS_SERVER_SIDE][TLS_CAUSE_RATE]++;
		return TLS_REFUSED;
	}
	turn->counted = true;
	w->to_begin_count++;
	return wait(w, &w->to_begin, turn);
}

enum tls_admission tls_worker_admit(struct tls_worker *w, struct tls_turn *turn)
{
	shard_at_turn_end(w->shard, &w->hook);
	if (!list_empty(&turn->link))
		return TLS_WAITS;
	if (!turn->begun)
		return begin(w, turn);
	if (w->steps_left && list_empty(&w->queue)) {
		w->steps_left--;
		return TLS_ADMITTED;
	}
	return wait(w, &w->queue, turn);
}

void tls_worker_withdraw(struct tls_worker *w, struct tls_turn *turn)
{
	list_remove(&turn->link);
	w->to_begin_count -= turn->counted;
	turn->counted = false;
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
