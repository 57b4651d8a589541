/*
 * A call's life: placed on a connection, watched by one timer, ended once.
 *
 * The timer is lazy. Reads only note the time in call->phase_ns; the timer moves when a deadline comes nearer than it
 * is armed for, and when it fires early it looks at what is due and arms itself again. So a stream costs one expiry
 * an idle_ns at most.
 */
#include "proto/http/http_client_internal.h"

#include "core/clock.h"

#include <assert.h>
#include <errno.h>

enum { SEND_FAILED_GRACE_MS = 1000 }; /* for an answer that the peer sent before it reset the connection */

static void nearer(uint64_t *due_ns, enum http_failure *what, uint64_t candidate_ns, enum http_failure failure)
{
	if (candidate_ns < *due_ns) {
		*due_ns = candidate_ns;
		*what = failure;
	}
}

static uint64_t connect_deadline_ns(const struct http_call *call)
{
	const struct http_connection *c = call->connection;

	if (!c)
		return call->phase_ns + call->timeouts.connect_ns;
	return call->phase_ns + call->timeouts.connect_ns * c->address_tries / c->address_count;
}

/* The provider cannot answer yet; that the client is slow is no fault of its. */
static bool is_uploading(const struct http_call *call)
{
	return call->upload && (call->upload->left || call->upload->filling.size);
}

/* When the call's next deadline is due, and as which failure; UINT64_MAX when it has none. */
static uint64_t next_deadline(const struct http_call *call, enum http_failure *failure)
{
	const struct http_timeouts *t = &call->timeouts;
	const struct http_connection *c = call->connection;
	uint64_t due_ns = UINT64_MAX;

	if (call->start_error) {
		*failure = call->origin->address_count ? HTTP_FAILURE_CONNECT : HTTP_FAILURE_RESOLVE;
		return call->phase_ns;
	}
	if (!c || c->state != CONNECTION_BUSY) {
		if (t->connect_ns)
			nearer(&due_ns, failure, connect_deadline_ns(call),
				c ? HTTP_FAILURE_CONNECT_TIMEOUT : HTTP_FAILURE_RESOLVE);
	} else if (!c->head_done) {
		if (is_uploading(call) && t->idle_ns && stream_sending(&c->stream))
			nearer(&due_ns, failure, call->phase_ns + t->idle_ns, HTTP_FAILURE_HEAD_TIMEOUT);
		if (t->head_ns && !is_uploading(call))
			nearer(&due_ns, failure, call->phase_ns + t->head_ns, HTTP_FAILURE_HEAD_TIMEOUT);
		if (c->send_error)
			nearer(&due_ns, failure, c->send_failed_ns + SEND_FAILED_GRACE_MS * NS_PER_MS,
				HTTP_FAILURE_SEND);
	} else if (t->idle_ns && !call->paused) {
		uint64_t read_ns = call->phase_ns > call->head_received_ns ? call->phase_ns : call->head_received_ns;

		nearer(&due_ns, failure, read_ns + t->idle_ns, HTTP_FAILURE_IDLE_TIMEOUT);
	}
	if (t->total_ns)
		nearer(&due_ns, failure, call->started_ns + t->total_ns, HTTP_FAILURE_TOTAL_TIMEOUT);
	return due_ns;
}

void http_call_watch(struct http_call *call)
{
	enum http_failure failure;
	uint64_t due_ns = next_deadline(call, &failure);

	if (due_ns == UINT64_MAX || (timer_armed(&call->timer) && call->timer.deadline_ns <= due_ns))
		return;
	timer_arm(&call->origin->client->shard->timers, &call->timer, due_ns);
}

static void on_call_timer(struct timer *timer)
{
	struct http_call *call = container_of(timer, struct http_call, timer);
	enum http_failure failure = HTTP_FAILURE_TOTAL_TIMEOUT;
	uint64_t due_ns = next_deadline(call, &failure);
	struct http_connection *c = call->connection;

	if (due_ns > shard_now_ns(call->origin->client->shard)) {
		http_call_watch(call);
		return;
	}
	if (call->start_error) {
		http_call_fail(call, failure, call->start_error,
			failure == HTTP_FAILURE_RESOLVE ? SLICE("the name has no address") : SLICE("out of memory"));
		return;
	}
	if (failure == HTTP_FAILURE_CONNECT_TIMEOUT && c && c->state == CONNECTION_CONNECTING &&
		http_connection_try_next(c)) {
		http_call_watch(call);
		return;
	}
	if (failure == HTTP_FAILURE_SEND)
		http_call_fail(call, failure, c->send_error, SLICE("sending failed and no answer came"));
	else
		http_call_fail(call, failure, -ETIMEDOUT, slice_of_string(http_failure_name(failure)));
}

static void attach(struct http_call *call, struct http_connection *c)
{
	call->connection = c;
	c->call = call;
}

static struct http_connection *detach(struct http_call *call)
{
	struct http_connection *c = call->connection;

	call->connection = NULL;
	if (c)
		c->call = NULL;
	return c;
}

static int place_on_fresh(struct http_call *call)
{
	struct http_connection *c = http_client_connection(call->origin);
	int rc;

	if (!c)
		return -ENOMEM;
	call->reused_connection = false;
	attach(call, c);
	rc = http_connection_connect(c);
	if (rc < 0) {
		detach(call);
		c->state = CONNECTION_CLOSING;
		http_client_release(c);
	}
	return rc;
}

static int place_on_idle(struct http_call *call, struct http_connection *c)
{
	int rc;

	call->reused_connection = true;
	attach(call, c);
	rc = http_connection_send(c);
	if (rc < 0) {
		detach(call);
		http_connection_close(c, false);
	}
	return rc;
}

void http_call_place(struct http_call *call, bool pooled)
{
	struct http_connection *c = pooled && !call->upload ? http_client_take_idle(call->origin) : NULL;

	call->phase_ns = shard_now_ns(call->origin->client->shard);
	call->start_error = c ? place_on_idle(call, c) : place_on_fresh(call);
	http_call_watch(call);
}

void http_call_start(struct http_client *client, struct http_call *call)
{
	assert(!client->closing && call->origin->client == client);
	assert(call->handler && call->head && call->request_head.size);
	call->started_ns = call->phase_ns = shard_now_ns(client->shard);
	call->sent_ns = call->head_received_ns = 0;
	call->bytes_in = 0;
	call->start_error = 0;
	call->tls_cause = TLS_CAUSE_NONE;
	call->connection = NULL;
	call->retried = call->paused = call->reused_connection = false;
	call->active = true;
	list_init(&call->link);
	timer_init(&call->timer, on_call_timer);
	client->counts.calls++;
	if (call->origin->address_count) {
		http_call_place(call, true);
	} else if (call->origin->unresolved) {
		call->start_error = -ENOENT; /* told by the timer: no callback comes from inside */
		http_call_watch(call);
	} else {
		list_append(&call->origin->waiting, &call->link);
		http_call_watch(call);
	}
}

/*
 * Takes the call out of everything. The head's buffer is the caller's to give back, after the last callback that may
 * look at the head.
 */
static struct http_connection *end(struct http_call *call, struct buffer **head_buffer)
{
	struct http_connection *c;

	assert(call->active);
	call->active = false;
	list_remove(&call->link);
	timer_disarm(&call->origin->client->shard->timers, &call->timer);
	c = detach(call);
	*head_buffer = c ? http_connection_take_head_buffer(c) : NULL;
	return c;
}

void http_call_fail(struct http_call *call, enum http_failure failure, int error, struct slice detail)
{
	struct buffer *head_buffer;
	struct http_connection *c = end(call, &head_buffer);

	if (c)
		http_connection_close(c, c->state == CONNECTION_BUSY);
	call->handler->on_failed(call, failure, error, detail);
	buffer_give(&head_buffer);
}

void http_call_complete(struct http_connection *c, bool reusable)
{
	struct http_call *call = c->call;
	struct buffer *head_buffer;

	end(call, &head_buffer);
	/* An answer that came before the request was sent: the peer may still want the rest, or drop it. */
	if (reusable && !stream_sending(&c->stream) && !c->send_error && !is_uploading(call))
		http_client_pool(c);
	else
		http_connection_close(c, false);
	call->handler->on_end(call);
	buffer_give(&head_buffer);
}

/*
 * A server may close a connection that is idle at the very moment we reuse it; no byte of an answer says that this is
 * what happened, and only then the call is sent again, once, on a connection that nobody used before.
 */
static bool retry(struct http_connection *c)
{
	struct http_call *call = c->call;

	if (!call->reused_connection || call->retried || c->answered)
		return false;
	call->retried = true;
	c->client->counts.retried++;
	detach(call);
	http_connection_close(c, true);
	http_call_place(call, false);
	return true;
}

void http_call_lost(struct http_connection *c, int error)
{
	struct http_call *call = c->call;

	if (retry(c))
		return;
	if (!error)
		error = c->send_error;
	if (c->head_done)
		http_call_fail(call, HTTP_FAILURE_TRUNCATED, error, SLICE("the connection ended in mid-body"));
	else if (c->answered)
		http_call_fail(call, HTTP_FAILURE_SEND, error, SLICE("the connection ended in the answer's head"));
	else
		http_call_fail(call, HTTP_FAILURE_SEND, error, SLICE("the connection ended before an answer"));
}

void http_call_cancel(struct http_call *call)
{
	struct buffer *head_buffer;
	struct http_connection *c;

	if (!call->active)
		return;
	c = end(call, &head_buffer);
	buffer_give(&head_buffer);
	if (c)
		http_connection_close(c, c->state == CONNECTION_BUSY);
}

void http_call_pause(struct http_call *call)
{
	assert(call->active);
	call->paused = true;
	if (call->connection && http_connection_held_back(call->connection))
		stream_pause(&call->connection->stream);
}

void http_upload_add(struct http_upload *upload, struct slice bytes)
{
	assert(bytes.size <= upload->left);
	text_add(&upload->filling, bytes);
	assert(!upload->filling.full);
	upload->left -= bytes.size;
}

void http_call_push(struct http_call *call)
{
	assert(call->active && call->upload);
	if (call->connection)
		http_connection_send_more(call->connection);
}

void http_call_resume(struct http_call *call)
{
	struct http_connection *c = call->connection;
	bool held_back = c && http_connection_held_back(c);

	assert(call->active);
	call->paused = false;
	if (!held_back)
		return;
	call->phase_ns = shard_now_ns(c->client->shard);
	http_call_watch(call);
	shard_at_turn_end(c->client->shard, &c->resume_hook);
}
