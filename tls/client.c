/* See client.h. */
#include "tls/client.h"

#include "tls/certificate.h"
#include "tls/entropy.h"
#include "tls/peer.h"
#include "tls/secret.h"
#include "tls/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

struct tls_client {
	_Atomic uint32_t references;
	WOLFSSL_CTX *ctx;
	bool insecure;
};

/* Where distributions keep the store in one file: Debian and its kin, Fedora and its kin, Alpine and SUSE. */
static const char *const system_stores[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static const char *find_system_store(void)
{
	for (size_t i = 0; i < sizeof(system_stores) / sizeof(system_stores[0]); i++)
		if (access(system_stores[i], R_OK) == 0)
			return system_stores[i];
	return NULL;
}

static int trust(WOLFSSL_CTX *ctx, const char *path, char *why, size_t why_bytes)
{
	const char *store = path ? path : find_system_store();
	size_t bytes;
	char *pem;
	int rc;

	if (!store) {
		snprintf(why, why_bytes,
			"the system has no store of trusted issuers (the package ca-certificates); name a file as ca");
		return -ENOENT;
	}
	pem = tls_pem_read(store, &bytes, why, why_bytes);
	if (!pem)
		return -EINVAL;
	/* One certificate of many that cannot be read is not the store's end. */
	rc = wolfSSL_CTX_load_verify_buffer_ex(
		ctx, (const byte *)pem, (long)bytes, WOLFSSL_FILETYPE_PEM, 0, path ? 0 : WOLFSSL_LOAD_FLAG_IGNORE_ERR);
	secret_give(pem, bytes);
	if (rc == WOLFSSL_SUCCESS)
		return 0;
	snprintf(why, why_bytes, "%s holds no certificate of an issuer in PEM form", store);
	return -EINVAL;
}

int tls_client_make(struct tls_client **out, const struct tls_client_options *options, char *why, size_t why_bytes)
{
	struct tls_client *client = calloc(1, sizeof(*client));
	int rc = -ENOMEM;

	snprintf(why, why_bytes, "out of memory");
	if (!client)
		return rc;
	client->references = 1;
	client->insecure = options->insecure;
	tls_entropy_set_up();
	client->ctx = wolfSSL_CTX_new(wolfSSLv23_client_method());
	if (client->ctx && wolfSSL_CTX_SetMinVersion(client->ctx, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS) {
		tls_session_set_up_client(client->ctx);
		wolfSSL_CTX_set_verify(
			client->ctx, options->insecure ? WOLFSSL_VERIFY_NONE : WOLFSSL_VERIFY_PEER, NULL);
		wolfSSL_CTX_UseSessionTicket(client->ctx);
		rc = options->insecure ? 0 : trust(client->ctx, options->ca, why, why_bytes);
	}
	if (rc)
		tls_client_give(&client);
	else
		*out = client;
	return rc;
}

struct tls_client *tls_client_borrow(struct tls_client *client)
{
	atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
	return client;
}

void tls_client_give(struct tls_client **client)
{
	struct tls_client *c = *client;

	*client = NULL;
	if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
		return;
	wolfSSL_CTX_free(c->ctx);
	free(c);
}

int tls_target_set(struct tls_target *target, struct tls_client *client, struct slice host)
{
	if (host.size > TLS_HOST_MAX_BYTES)
		return -EINVAL;
	tls_client_borrow(client);
	if (target->client)
		tls_target_fini(target);
	target->client = client;
	memcpy(target->host, host.data, host.size);
	target->host[host.size] = '\0';
	return 0;
}

void tls_target_fini(struct tls_target *target)
{
	wolfSSL_SESSION_free(target->session);
	target->session = NULL;
	tls_client_give(&target->client);
}

/* Its bytes in network order: 4, 16, or 0 when it is a name. */
static int read_address(const char *host, unsigned char bytes[sizeof(struct in6_addr)])
{
	if (inet_pton(AF_INET, host, bytes) == 1)
		return sizeof(struct in_addr);
	return inet_pton(AF_INET6, host, bytes) == 1 ? (int)sizeof(struct in6_addr) : 0;
}

static bool is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return read_address(host, bytes) > 0;
}

static int expect_host(WOLFSSL *ssl, const struct tls_target *target)
{
	if (is_address(target->host)) /* RFC 6066 section 3: no address as server name */
		return WOLFSSL_SUCCESS;
	if (!target->client->insecure && wolfSSL_check_domain_name(ssl, target->host) != WOLFSSL_SUCCESS)
		return WOLFSSL_FAILURE;
	return wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, target->host, (unsigned short)strlen(target->host));
}

struct WOLFSSL *tls_target_open(const struct tls_target *target)
{
	WOLFSSL *ssl = wolfSSL_new(target->client->ctx);

	if (!ssl)
		return NULL;
	if (expect_host(ssl, target) != WOLFSSL_SUCCESS) {
		wolfSSL_free(ssl);
		return NULL;
	}
	if (target->session)
		wolfSSL_set_session(ssl, target->session); /* one that is too old is not resumed */
	return ssl;
}

bool tls_target_is_met(const struct tls_target *target, struct WOLFSSL *ssl)
{
	unsigned char address[sizeof(struct in6_addr)];
	int bytes = read_address(target->host, address);

	/* A resumed session's peer was met when the session was made. */
	if (!bytes || target->client->insecure || wolfSSL_session_reused(ssl))
		return true;
	return tls_peer_has_address(ssl, slice_of(address, (size_t)bytes));
}

void tls_target_learn(struct tls_target *target, struct WOLFSSL *ssl)
{
	WOLFSSL_SESSION *session = wolfSSL_get1_session(ssl);

	if (!session)
		return;
	wolfSSL_SESSION_free(target->session);
	target->session = session;
}
