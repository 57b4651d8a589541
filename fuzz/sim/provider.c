/* See provider.h. */
#include "fuzz/sim/provider.h"

#include <assert.h>
#include <stdlib.h>

#include "core/kconfig.h"
#include "fuzz/sim/line.h"
#include "fuzz/sim/look.h"
#include "fuzz/sim/plan.h"
#include "fuzz/sim/race.h"
#include "fuzz/sim/seal.h"
#include "fuzz/sim/tongue.h"
#include "fuzz/sim/wire.h"

enum { NO_ATTEMPT = UINT32_MAX };

/* How a provider that speaks TLS meets a connection. */
enum greeting {
	GREETING_TLS,
	GREETING_STRANGER, /* shows a certificate that is another host's */
	GREETING_PLAIN,    /* speaks HTTP */
	GREETING_HANGS_UP, /* closes when the hello comes */
	GREETING_SILENT,
	GREETINGS
};

struct upstream { /* one connection */
	struct list link;
	struct provider *provider;
	struct line line;
	struct sim_event event;
	struct wire wire;
	struct bytes body;
	enum greeting greeting;
	uint32_t attempt; /* index in the book, or NO_ATTEMPT */
	struct plan plan;
	size_t sent; /* of the plan's bytes */
	bool asked;  /* a request is whole, its answer is not */
};

struct provider {
	struct scenario *scenario;
	unsigned index;
	struct sim_host *host;
	struct sim_listener listener;
	struct list upstreams;
	unsigned count;
	bool down;
};

static void on_event(struct sim_event *event);
static void on_received(struct line *line, const char *bytes, size_t size);
static void on_closed(struct line *line, int result);

static struct book *book_of(const struct upstream *u)
{
	return &u->provider->scenario->book;
}

static struct attempt *attempt_of(const struct upstream *u)
{
	return u->attempt == NO_ATTEMPT ? NULL : &book_of(u)->attempts[u->attempt];
}

static void end_attempt(struct upstream *u)
{
	struct attempt *attempt = attempt_of(u);

	if (attempt)
		attempt->open = false;
	u->attempt = NO_ATTEMPT;
	u->asked = false;
	bytes_free(&u->plan.bytes);
}

static void upstream_free(struct upstream *u)
{
	end_attempt(u);
	sim_event_cancel(u->provider->scenario->sim, &u->event);
	list_remove(&u->link);
	u->provider->count--;
	wire_free(&u->wire);
	bytes_free(&u->body);
	free(u);
}

static enum greeting draw_greeting(struct scenario *s)
{
	if (!s->terms.provider_tls)
		return GREETING_TLS;
	return chance(s, s->terms.misery / 4) ? (enum greeting)pick(s, GREETING_TLS + 1, GREETINGS - 1) : GREETING_TLS;
}

static struct sim_peer *on_accept(struct sim_listener *listener, const struct sockaddr_storage *from)
{
	struct provider *provider = listener->user;
	struct scenario *s = provider->scenario;
	struct upstream *u;

	(void)from;
	if (s->terms.resets && chance(s, s->terms.misery / 16))
		return NULL;
	u = sim_grown(NULL, sizeof(*u));
	*u = (struct upstream){.provider = provider, .attempt = NO_ATTEMPT};
	u->wire.requests = true;
	u->line.received = on_received;
	u->line.closed = on_closed;
	u->line.user = u;
	u->greeting = draw_greeting(s);
	if (CONFIG(TLS) && s->terms.provider_tls && u->greeting <= GREETING_STRANGER)
		u->line.seal = seal_accept(s->trust, u->greeting == GREETING_STRANGER);
	u->event.run = on_event;
	list_init(&u->link);
	list_append(&provider->upstreams, &u->link);
	provider->count++;
	return line_accept(&u->line, s->sim, provider->host);
}

static void listen_again(struct provider *provider)
{
	int rc;

	provider->listener = (struct sim_listener){.accept = on_accept, .user = provider};
	rc = sim_listen(&provider->listener, provider->host, PROVIDER_PORT);
	assert(rc == 0); /* a provider's port is its own */
}

struct provider *provider_open(struct scenario *s, unsigned index)
{
	struct provider *provider = sim_grown(NULL, sizeof(*provider));
	char name[16], address[16];

	*provider = (struct provider){.scenario = s, .index = index};
	snprintf(name, sizeof(name), "provider%u", index);
	snprintf(address, sizeof(address), "10.0.2.%u", index + 1);
	provider->host = sim_host_add(s->sim, name, address);
	list_init(&provider->upstreams);
	listen_again(provider);
	return provider;
}

void provider_free(struct provider *provider)
{
	while (!list_empty(&provider->upstreams)) {
		struct upstream *u = container_of(provider->upstreams.next, struct upstream, link);

		line_reset(&u->line);
		upstream_free(u);
	}
	if (!provider->down)
		sim_listener_close(&provider->listener);
	free(provider);
}

void provider_set_down(struct provider *provider, bool down)
{
	if (down == provider->down)
		return;
	provider->down = down;
	sim_note(provider->scenario->sim, provider->host, down ? "listens no more" : "listens", 0, 0);
	if (down)
		sim_listener_close(&provider->listener);
	else
		listen_again(provider);
}

struct sim_host *provider_host(const struct provider *provider)
{
	return provider->host;
}

unsigned provider_connections(const struct provider *provider)
{
	return provider->count;
}

/* Sealed, what is unsent is more than it was. */
static uint64_t taken_bytes(const struct upstream *u)
{
	size_t unsent = sim_peer_unsent(&u->line.peer);

	return u->sent > unsent ? u->sent - unsent : 0;
}

uint64_t provider_sent_bytes(const struct provider *provider, uint32_t call)
{
	for (struct list *link = provider->upstreams.next; link != &provider->upstreams; link = link->next) {
		const struct upstream *u = container_of(link, struct upstream, link);
		const struct attempt *attempt = attempt_of(u);

		if (attempt && attempt->call == call)
			return taken_bytes(u);
	}
	return 0;
}

/* ---- What comes ---- */

static void wrong(const struct upstream *u, const char *what)
{
	scenario_break(
		u->provider->scenario, "requests to providers are whole", "provider %u: %s", u->provider->index, what);
}

static const struct tongue *tongue_of(const struct upstream *u)
{
	return tongue_named(u->provider->scenario->terms.provider_tongues[u->provider->index]);
}

static bool has_credential(const struct upstream *u)
{
	const struct tongue *tongue = tongue_of(u);
	char wanted[48];

	snprintf(wanted, sizeof(wanted), "%sup-key-%u-", tongue->credential_lead, u->provider->index);
	return slice_starts_with(wire_header(&u->wire, tongue->credential), slice_of_string(wanted));
}

/* Between the first line's two spaces. */
static struct slice target_of(const struct upstream *u)
{
	struct slice head = slice_after(bytes_slice(&u->wire.head), sizeof("POST ") - 1);
	const char *end = memchr(head.data, ' ', head.size);

	return slice_of(head.data, end ? (size_t)(end - head.data) : 0);
}

/* The client's text, to the byte. */
static bool text_is_whole(uint32_t call, struct slice text)
{
	struct bytes wanted = {0}, came = {0};
	bool same;

	look_text(text, &came);
	scenario_text(&wanted, call, came.size);
	same = slice_equal(bytes_slice(&wanted), bytes_slice(&came));
	bytes_free(&wanted);
	bytes_free(&came);
	return same;
}

static bool find_model(const struct upstream *u, struct slice name, unsigned *model)
{
	for (*model = 0; *model < MODELS; (*model)++) {
		const char *upstream = model_terms[*model].upstream[u->provider->index];

		if (upstream && slice_equal(name, slice_of_string(upstream)))
			return true;
	}
	return false;
}

/* The call whose request this is; NULL: something is wrong with it. */
static struct call *read_request(struct upstream *u, unsigned *model)
{
	struct slice body = bytes_slice(&u->body);
	const char *problem;
	struct asked asked;
	struct call *call;
	uint32_t id;

	if (!has_credential(u))
		return wrong(u, "a request without the provider's credential"), NULL;
	if (!look_valid(body))
		return wrong(u, "a request whose body is not JSON"), NULL;
	problem = tongue_of(u)->read_request(target_of(u), body, &asked);
	if (!problem && tongue_of(u)->check_head)
		problem = tongue_of(u)->check_head(&u->wire);
	if (problem)
		return wrong(u, problem), NULL;
	if (!book_find_marker(asked.text, &id) || !(call = book_call(book_of(u), id)) || !call_is_served(call))
		return wrong(u, "a request that no client made"), NULL;
	if (!text_is_whole(id, asked.text))
		return wrong(u, "a request whose text is not the client's"), NULL;
	if (!find_model(u, asked.model, model))
		return wrong(u, "a request for a model that is not here"), NULL;
	if (look_member(body, "x-fallback-chain").data || look_member(body, "x-routing-hints").data)
		return wrong(u, "a request with the gateway's own extensions"), NULL;
	if (call_is_stream(call) != asked.stream)
		return wrong(u, "a request that streams where the client's does not, or the other way"), NULL;
	return call;
}

static void take_request(struct upstream *u)
{
	struct scenario *s = u->provider->scenario;
	struct call *call;
	struct attempt *attempt;
	unsigned model;

	if (u->asked) {
		wrong(u, "a second request before the first was answered");
		return;
	}
	if (u->greeting == GREETING_STRANGER) {
		wrong(u, "a request to a host whose certificate is another's");
		return;
	}
	call = read_request(u, &model);
	u->body.size = 0;
	if (!call)
		return;
	u->attempt = book_attempt_add(&s->book, call);
	attempt = attempt_of(u);
	attempt->provider = u->provider->index;
	attempt->model = model;
	attempt->asked_ns = sim_now_ns(s->sim);
	u->asked = true;
	u->sent = 0;
	plan_draw(&u->plan, s, call, attempt);
	if (is_race(s))
		race_note_arrival(s, call, attempt);
	sim_note(s->sim, u->provider->host, "asked", call->id, attempt->number);
	sim_after(s->sim, &u->event, u->plan.delay_ns);
}

/* To a hello. */
static void greet(struct upstream *u)
{
	if (u->greeting == GREETING_SILENT)
		return;
	if (u->greeting == GREETING_PLAIN)
		line_send(&u->line, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 66);
	line_close(&u->line);
	upstream_free(u);
}

static void on_received(struct line *line, const char *bytes, size_t size)
{
	struct upstream *u = line->user;
	struct slice rest = slice_of(bytes, size), piece;

	if (u->greeting > GREETING_STRANGER) {
		greet(u);
		return;
	}
	for (;;) {
		switch (wire_next(&u->wire, &rest, &piece)) {
		case WIRE_MORE:
			return;
		case WIRE_HEAD:
			break;
		case WIRE_BODY:
			bytes_add(&u->body, piece);
			break;
		case WIRE_END:
			take_request(u);
			break;
		case WIRE_BAD:
			wrong(u, u->wire.problem);
			return;
		}
	}
}

/* The gateway has no more to say, or is gone: neither does a real provider go on then. */
static void on_closed(struct line *line, int result)
{
	struct upstream *u = line->user;

	sim_note(u->provider->scenario->sim, u->provider->host, "left by gate", u->attempt, (uint64_t)-result);
	if (result == 0)
		line_close(line);
	upstream_free(u);
}

/* ---- What is sent ---- */

static void end_answer(struct upstream *u)
{
	struct scenario *s = u->provider->scenario;

	switch (u->plan.end) {
	case PLAN_STALL:
		return; /* until the gateway has enough */
	case PLAN_RESET:
		line_reset(&u->line);
		upstream_free(u);
		return;
	case PLAN_CLOSE:
		line_close(&u->line);
		upstream_free(u);
		return;
	case PLAN_CUT:
		line_cut(&u->line);
		upstream_free(u);
		return;
	case PLAN_KEEP:
		end_attempt(u);
		/* An idle connection may end at any time. */
		if (chance(s, 8000))
			sim_after(s->sim, &u->event, pick(s, 0, chance(s, 32768) ? NS_PER_S : 5 * NS_PER_MS));
		return;
	}
}

static void end_idle(struct upstream *u)
{
	struct scenario *s = u->provider->scenario;

	if (wire_begun(&u->wire))
		return;
	/* As some servers say it; a call that crosses with it takes it for its answer. */
	if (s->terms.misery && chance(s, 8000))
		line_send(&u->line, "HTTP/1.1 408 Idle\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 59);
	if (s->terms.resets && chance(s, 16384))
		line_reset(&u->line);
	else if (s->terms.provider_tls && chance(s, 16384))
		line_cut(&u->line);
	else
		line_close(&u->line);
	upstream_free(u);
}

static void send_piece(struct upstream *u)
{
	struct scenario *s = u->provider->scenario;
	size_t left = u->plan.end_at - u->sent;
	size_t size = u->plan.pause_max_ns ? pick(s, 1, u->plan.piece_max_bytes) : left;

	if (size > left)
		size = left;
	if (size && line_send(&u->line, u->plan.bytes.data + u->sent, size) < 0)
		return; /* closed() follows */
	if (size && !u->sent)
		attempt_of(u)->begun_ns = sim_now_ns(s->sim);
	u->sent += size;
	if (u->sent >= u->plan.whole_at && !attempt_of(u)->sent_whole) {
		attempt_of(u)->sent_whole = true;
		attempt_of(u)->whole_ns = sim_now_ns(s->sim);
	}
	if (u->sent == u->plan.end_at)
		end_answer(u);
	else
		sim_after(s->sim, &u->event, pick(s, 0, u->plan.pause_max_ns));
}

static void on_event(struct sim_event *event)
{
	struct upstream *u = container_of(event, struct upstream, event);

	if (u->asked)
		send_piece(u);
	else
		end_idle(u);
}
