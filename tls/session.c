/*
 * See session.h. Bytes are copied twice on their way in (into wolfSSL's record, and opened into the reader's buffer)
 * and three times out at most (gathered when a record's plaintext lies in pieces, sealed, and into the chunk that the
 * ring sends): the last, which wolfSSL could do without when each record were its own send, buys one completion for
 * four records, and small ones that leave together.
 */
#include "tls/session.h"

#include "tls/entropy.h"
#include "tls/identity.h"
#include "tls/peer.h"
#include "tls/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>

enum {
	IN_MAX_BYTES = 256 * 1024, /* unused: some receive buffers of a connection whose handshake waits for its turn */
	ALERT_RECORD = 21,
	ALERT_FATAL = 2,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INTERNAL_ERROR = 80,
};

#define PLAIN_HTTP_BODY                                                                                                \
	"{\"error\":{\"message\":\"This port speaks TLS, and plain HTTP came: use https://.\",\"type\":"               \
	"\"invalid_request_error\",\"param\":null,\"code\":\"plain_http_to_tls_port\",\"request_id\":null}}"

static const char plain_http_answer[] = "HTTP/1.1 400 Bad Request\r\n"
					"Content-Type: application/json\r\n"
					"Content-Length: 174\r\n"
					"Connection: close\r\n"
					"\r\n" PLAIN_HTTP_BODY;
_Static_assert(sizeof(PLAIN_HTTP_BODY) - 1 == 174, "the answer's Content-Length");

/* ---- bytes between wolfSSL and us ---- */

static void drop_first(struct tls_session *s)
{
	struct buffer *buffer = s->in_first;

	s->in_first = buffer->next;
	if (!s->in_first)
		s->in_last = NULL;
	s->in_offset = 0;
	buffer_give(&buffer);
}

static int on_receive(WOLFSSL *ssl, char *to, int size, void *context)
{
	struct tls_session *s = context;
	int taken = 0;

	(void)ssl;
	while (taken < size && s->in_first) {
		size_t left = s->in_first->used_bytes - s->in_offset, wanted = (size_t)(size - taken);
		size_t n = left < wanted ? left : wanted;

		memcpy(to + taken, s->in_first->data + s->in_offset, n);
		taken += (int)n;
		s->in_offset += n;
		s->in_bytes -= n;
		if (s->in_offset == s->in_first->used_bytes)
			drop_first(s);
	}
	return taken ? taken : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int on_send(WOLFSSL *ssl, char *bytes, int size, void *context)
{
	struct tls_session *s = context;

	(void)ssl;
	if (tls_output_add(&s->worker->outputs, &s->output, slice_of(bytes, (size_t)size)) < 0)
		return WOLFSSL_CBIO_ERR_GENERAL;
	return size;
}

static void set_up(WOLFSSL_CTX *ctx)
{
	wolfSSL_CTX_SetIORecv(ctx, on_receive);
	wolfSSL_CTX_SetIOSend(ctx, on_send);
}

void tls_session_set_up_server(WOLFSSL_CTX *ctx)
{
	set_up(ctx);
}

void tls_session_set_up_client(WOLFSSL_CTX *ctx)
{
	set_up(ctx);
	wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
}

static int adopt(struct tls_session *s, WOLFSSL *ssl)
{
	static char http[] = "http/1.1";

	if (!ssl)
		return -ENOMEM;
	s->ssl = ssl;
	wolfSSL_SetIOReadCtx(ssl, s);
	wolfSSL_SetIOWriteCtx(ssl, s);
	if (wolfSSL_UseALPN(ssl, http, sizeof(http) - 1,
		    s->listener ? WOLFSSL_ALPN_FAILED_ON_MISMATCH : WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) !=
		WOLFSSL_SUCCESS)
		return -ENOMEM;
	return 0;
}

/* ---- life ---- */

void tls_session_accept(struct tls_session *s, struct tls_listener *listener)
{
	*s = (struct tls_session){.worker = listener->worker, .listener = listener};
}

int tls_session_connect(struct tls_session *s, struct tls_worker *worker, struct tls_target *target)
{
	int rc;

	*s = (struct tls_session){.worker = worker, .target = target};
	tls_entropy_use(worker->entropy);
	rc = adopt(s, tls_target_open(target));
	tls_entropy_use(NULL);
	return rc;
}

void tls_session_forget(struct tls_session *s)
{
	while (s->in_first)
		drop_first(s);
	s->in_bytes = 0;
}

void tls_session_fini(struct tls_session *s)
{
	wolfSSL_free(s->ssl);
	s->ssl = NULL;
	free((void *)s->identity.data);
	s->identity = slice_of(NULL, 0);
	tls_session_forget(s);
	tls_output_drop(&s->worker->outputs, &s->output);
}

bool tls_session_feed(struct tls_session *s, struct buffer *buffer)
{
	if (s->in_bytes + buffer->used_bytes > IN_MAX_BYTES)
		return false;
	buffer_borrow(buffer)->next = NULL;
	if (s->in_last)
		s->in_last->next = buffer;
	else
		s->in_first = buffer;
	s->in_last = buffer;
	s->in_bytes += buffer->used_bytes;
	return true;
}

/* Only the last can be the ring's: those before it were kept when it came. */
void tls_session_keep(struct tls_session *s)
{
	struct buffer *last = s->in_last, *kept, **link = &s->in_first;
	struct slice bytes;

	if (!last)
		return;
	bytes = slice_of(last->data, last->used_bytes);
	kept = buffer_keep(last, &bytes);
	kept->next = NULL;
	while (*link != last)
		link = &(*link)->next;
	*link = s->in_last = kept;
	buffer_give(&last);
}

static enum tls_step fail(struct tls_session *s, enum tls_cause cause)
{
	enum tls_side side = s->listener ? TLS_SERVER_SIDE : TLS_CLIENT_SIDE;

	s->cause = cause;
	s->worker->counts.failed[side][cause]++;
	wolfSSL_ERR_clear_error();
	return TLS_STEP_FAILED;
}

static enum tls_step fail_wolfssl(struct tls_session *s, int error)
{
	enum tls_cause cause = tls_cause_of(error);

	/* Once a version is agreed on, a record with another is no offer. */
	return fail(s, s->established && cause == TLS_CAUSE_VERSION ? TLS_CAUSE_PROTOCOL : cause);
}

/* ---- a server's first bytes ---- */

static void say(struct tls_session *s, struct slice bytes)
{
	tls_output_add(&s->worker->outputs, &s->output, bytes); /* without memory it fails unsaid */
}

static void say_alert(struct tls_session *s, char alert)
{
	const char record[] = {ALERT_RECORD, 3, 3, 0, 2, ALERT_FATAL, alert};

	say(s, slice_of(record, sizeof(record)));
}

static struct slice unused_bytes(struct tls_session *s)
{
	char *to = s->worker->gather;
	size_t offset = s->in_offset;

	if (s->in_first == s->in_last)
		return slice_of(s->in_first->data + offset, s->in_first->used_bytes - offset);
	for (struct buffer *buffer = s->in_first; buffer; buffer = buffer->next) {
		memcpy(to, buffer->data + offset, buffer->used_bytes - offset);
		to += buffer->used_bytes - offset;
		offset = 0;
	}
	return slice_of(s->worker->gather, (size_t)(to - s->worker->gather));
}

static enum tls_step refuse(struct tls_session *s, enum tls_cause cause, char alert)
{
	say_alert(s, alert);
	return fail(s, cause);
}

static enum tls_step read_hello(struct tls_session *s)
{
	const struct tls_server *server = s->listener->server;
	struct tls_hello hello;
	int rc;

	if (!s->in_first)
		return TLS_STEP_WAIT;
	if (s->in_bytes > TLS_GATHER_BYTES)
		return refuse(s, TLS_CAUSE_NOT_TLS, ALERT_UNEXPECTED_MESSAGE);
	switch (tls_hello_read(unused_bytes(s), s->worker->message, &hello)) {
	case TLS_HELLO_MORE:
		return TLS_STEP_WAIT;
	case TLS_HELLO_HTTP:
		say(s, slice_of(plain_http_answer, sizeof(plain_http_answer) - 1));
		return fail(s, TLS_CAUSE_PLAIN_HTTP);
	case TLS_HELLO_BAD:
		return refuse(s, TLS_CAUSE_NOT_TLS, ALERT_UNEXPECTED_MESSAGE);
	case TLS_HELLO_WHOLE:
		break;
	}
	if (!tls_server_allows(server, &hello))
		return refuse(s, TLS_CAUSE_VERSION, ALERT_PROTOCOL_VERSION);
	tls_entropy_use(s->worker->entropy);
	rc = adopt(s, wolfSSL_new(tls_server_choose(server, &hello)));
	tls_entropy_use(NULL);
	if (rc < 0)
		return refuse(s, TLS_CAUSE_MEMORY, ALERT_INTERNAL_ERROR);
	return TLS_STEP_DONE;
}

static int note_identity(struct tls_session *s)
{
	char memory[TLS_IDENTITY_MAX_BYTES], *copy;
	struct text text = text_over(memory, sizeof(memory));

	if (s->listener)
		tls_peer_print(s->ssl, &text);
	if (!text.size)
		return 0;
	copy = malloc(text.size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, memory, text.size);
	s->identity = slice_of(copy, text.size);
	return 0;
}

enum tls_step tls_session_handshake(struct tls_session *s)
{
	enum tls_side side = s->listener ? TLS_SERVER_SIDE : TLS_CLIENT_SIDE;
	int rc, error;

	if (!s->ssl) {
		enum tls_step step = read_hello(s);

		if (step != TLS_STEP_DONE)
			return step;
	}
	tls_entropy_use(s->worker->entropy);
	rc = s->listener ? wolfSSL_accept(s->ssl) : wolfSSL_connect(s->ssl);
	tls_entropy_use(NULL);
	if (rc == WOLFSSL_SUCCESS && s->target && !tls_target_is_met(s->target, s->ssl))
		return fail(s, TLS_CAUSE_WRONG_HOST);
	if (rc == WOLFSSL_SUCCESS && note_identity(s) < 0)
		return fail(s, TLS_CAUSE_MEMORY);
	if (rc == WOLFSSL_SUCCESS) {
		s->established = true;
		if (tls_session_is_resumed(s))
			s->worker->counts.resumed[side]++;
		else
			s->worker->counts.full[side]++;
		return TLS_STEP_DONE;
	}
	error = wolfSSL_get_error(s->ssl, rc);
	if (error == WOLFSSL_ERROR_WANT_READ)
		return TLS_STEP_WAIT;
	return fail_wolfssl(s, error);
}

/* ---- plain bytes ---- */

static int read_failed(struct tls_session *s, int rc)
{
	int error = wolfSSL_get_error(s->ssl, rc);

	if (error == WOLFSSL_ERROR_WANT_READ)
		return -EAGAIN;
	if (error == WOLFSSL_ERROR_ZERO_RETURN)
		return 0;
	fail_wolfssl(s, error);
	return -EPROTO;
}

int tls_session_read(struct tls_session *s, struct buffer *buffer)
{
	assert(s->established && buffer->used_bytes == 0);
	while (buffer->used_bytes < buffer->capacity_bytes) {
		int room = (int)(buffer->capacity_bytes - buffer->used_bytes);
		int rc = wolfSSL_read(s->ssl, buffer->data + buffer->used_bytes, room);

		if (rc <= 0 && buffer->used_bytes)
			break; /* told when it is asked again */
		if (rc <= 0)
			return read_failed(s, rc);
		buffer->used_bytes += (uint32_t)rc;
	}
	if (s->target && !s->learnt) {
		/* A server sends its tickets before its first answer. */
		s->learnt = true;
		tls_target_learn(s->target, s->ssl);
	}
	return (int)buffer->used_bytes;
}

static void skip_empty(struct tls_cursor *c)
{
	while (c->count && c->offset == c->iov->iov_len) {
		c->iov++;
		c->count--;
		c->offset = 0;
	}
}

/* A record's worth: where it lies, when it does in one piece, or else gathered. */
static struct slice next_piece(struct tls_worker *w, struct tls_cursor *c)
{
	struct slice first = slice_of((const char *)c->iov->iov_base + c->offset, c->iov->iov_len - c->offset);
	size_t size = 0;

	if (first.size >= TLS_RECORD_MAX_BYTES || c->count == 1) {
		first.size = first.size < TLS_RECORD_MAX_BYTES ? first.size : TLS_RECORD_MAX_BYTES;
		c->offset += first.size;
		skip_empty(c);
		return first;
	}
	while (c->count && size < TLS_RECORD_MAX_BYTES) {
		size_t left = c->iov->iov_len - c->offset, room = TLS_RECORD_MAX_BYTES - size,
		       n = left < room ? left : room;

		memcpy(w->gather + size, (const char *)c->iov->iov_base + c->offset, n);
		size += n;
		c->offset += n;
		skip_empty(c);
	}
	return slice_of(w->gather, size);
}

int tls_session_seal(struct tls_session *s, struct tls_cursor *cursor)
{
	struct slice piece;
	int rc;

	skip_empty(cursor);
	if (!cursor->count)
		return 0;
	piece = next_piece(s->worker, cursor);
	rc = wolfSSL_write(s->ssl, piece.data, (int)piece.size);
	if (rc == (int)piece.size)
		return 0;
	fail_wolfssl(s, wolfSSL_get_error(s->ssl, rc));
	return -EPROTO;
}

void tls_session_end(struct tls_session *s)
{
	wolfSSL_shutdown(s->ssl);
	wolfSSL_ERR_clear_error();
}

bool tls_session_is_resumed(const struct tls_session *s)
{
	return s->ssl && wolfSSL_session_reused(s->ssl);
}
