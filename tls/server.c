/* See server.h: one wolfSSL context for each certificate. */
#include "tls/server.h"

#include "tls/certificate.h"
#include "tls/entropy.h"
#include "tls/hello.h"
#include "tls/secret.h"
#include "tls/session.h"
#include "tls/ticket.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

struct tls_server {
	_Atomic uint32_t references;
	bool allow_12;
	unsigned count;
	struct tls_certificate certificates[];
};

static int no_tickets(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ], unsigned char iv[WOLFSSL_TICKET_IV_SZ],
	unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int seal, unsigned char *ticket, int size, int *out_size,
	void *context)
{
	(void)ssl, (void)name, (void)iv, (void)mac, (void)seal, (void)ticket, (void)size, (void)out_size, (void)context;
	return WOLFSSL_TICKET_RET_REJECT;
}

static int ask_for_certificate(WOLFSSL_CTX *ctx, const char *path, char *why, size_t why_bytes)
{
	size_t bytes;
	char *pem = tls_pem_read(path, &bytes, why, why_bytes);
	int rc;

	if (!pem)
		return -EINVAL;
	rc = wolfSSL_CTX_load_verify_buffer(ctx, (const byte *)pem, (long)bytes, WOLFSSL_FILETYPE_PEM);
	secret_give(pem, bytes);
	if (rc != WOLFSSL_SUCCESS) {
		snprintf(why, why_bytes, "%s holds no certificate of an issuer in PEM form", path);
		return -EINVAL;
	}
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

/* A resumed session would say that its client was verified once; who has to show a certificate shows it each time. */
static int set_up(WOLFSSL_CTX *ctx, const struct tls_server_options *options, char *why, size_t why_bytes)
{
	const struct tls_tickets *tickets = options->client_ca ? NULL : options->tickets;

	tls_session_set_up_server(ctx);
	if (tickets && tls_tickets_use(tickets, ctx) < 0)
		return -EINVAL;
	if (!tickets && (wolfSSL_CTX_no_ticket_TLSv13(ctx) != 0 ||
				wolfSSL_CTX_set_TicketEncCb(ctx, no_tickets) != WOLFSSL_SUCCESS))
		return -EINVAL;
	return options->client_ca ? ask_for_certificate(ctx, options->client_ca, why, why_bytes) : 0;
}

static void free_server(struct tls_server *server)
{
	for (unsigned i = 0; i < server->count; i++)
		tls_certificate_free(&server->certificates[i]);
	free(server);
}

int tls_server_make(struct tls_server **out, const struct tls_server_options *options, char *why, size_t why_bytes)
{
	struct tls_server *server = calloc(1, sizeof(*server) + options->pair_count * sizeof(server->certificates[0]));
	int rc = server ? 0 : -ENOMEM;

	assert(options->pair_count);
	snprintf(why, why_bytes, "out of memory");
	if (!server)
		return rc;
	server->references = 1;
	server->allow_12 = options->allow_12;
	while (!rc && server->count < options->pair_count) {
		const struct tls_key_pair *pair = &options->pairs[server->count];
		struct tls_certificate *certificate = &server->certificates[server->count];

		rc = tls_certificate_load(
			certificate, pair->cert, pair->key, options->allow_12 ? 0x0303 : 0x0304, why, why_bytes);
		if (!rc) {
			server->count++;
			rc = set_up(certificate->ctx, options, why, why_bytes);
		}
	}
	if (rc)
		free_server(server);
	else
		*out = server;
	return rc;
}

struct tls_server *tls_server_borrow(struct tls_server *server)
{
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
	return server;
}

void tls_server_give(struct tls_server **server)
{
	struct tls_server *s = *server;

	*server = NULL;
	if (s && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
		free_server(s);
}

bool tls_server_allows(const struct tls_server *server, const struct tls_hello *hello)
{
	return hello->offers_13 || (server->allow_12 && hello->offers_12);
}

/*
 * The better name wins; among equals the first whose signature the client takes, and ECDSA before RSA, which costs ten
 * times more.
 */
struct WOLFSSL_CTX *tls_server_choose(const struct tls_server *server, const struct tls_hello *hello)
{
	const struct tls_certificate *best = NULL;
	int best_score = -1;

	for (unsigned i = 0; i < server->count; i++) {
		const struct tls_certificate *c = &server->certificates[i];
		bool usable = c->ecdsa ? hello->takes_ecdsa : hello->takes_rsa;
		int match = hello->server_name.size ? (int)tls_certificate_match(c, hello->server_name) : 0;
		int score = match * 4 + usable * 2 + (match && c->ecdsa);

		if (score > best_score) {
			best = c;
			best_score = score;
		}
	}
	return best->ctx;
}

int64_t tls_server_not_after_s(const struct tls_server *server)
{
	int64_t first = INT64_MAX;

	for (unsigned i = 0; i < server->count; i++)
		if (server->certificates[i].not_after_s < first)
			first = server->certificates[i].not_after_s;
	return first;
}
