/*
 * A ticket is AES-256-GCM over wolfSSL's session: key name (a tag of ours, then the key's number in time), nonce, text,
 * tag. Its name is authenticated with it.
 */
#include "tls/ticket.h"

#include "core/clock.h"
#include "core/rand.h"
#include "tls/secret.h"

#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

enum { SECRET_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16, NAME_TAG_BYTES = 8 };

struct tls_tickets {
	uint8_t secret[SECRET_BYTES];
	uint8_t name_tag[NAME_TAG_BYTES]; /* tells another process's tickets from ours, without trying */
};

struct tls_tickets *tls_tickets_make(void)
{
	struct tls_tickets *tickets = secret_take(sizeof(*tickets));

	if (tickets)
		rand_system(tickets, sizeof(*tickets));
	return tickets;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
	secret_give(tickets, sizeof(*tickets));
}

static int derive(const struct tls_tickets *tickets, uint64_t number, uint8_t key[SECRET_BYTES])
{
	Hmac hmac;
	int rc = wc_HmacInit(&hmac, NULL, INVALID_DEVID);

	if (!rc)
		rc = wc_HmacSetKey(&hmac, WC_SHA256, tickets->secret, SECRET_BYTES);
	if (!rc)
		rc = wc_HmacUpdate(&hmac, (const byte *)&number, sizeof(number));
	if (!rc)
		rc = wc_HmacFinal(&hmac, key);
	wc_HmacFree(&hmac);
	explicit_bzero(&hmac, sizeof(hmac));
	return rc;
}

static int code(const uint8_t *key, int seal, const uint8_t *name, const uint8_t *nonce, uint8_t *tag, uint8_t *text,
	word32 size)
{
	Aes aes;
	int rc = wc_AesInit(&aes, NULL, INVALID_DEVID);

	if (!rc)
		rc = wc_AesGcmSetKey(&aes, key, SECRET_BYTES);
	if (!rc && seal)
		rc = wc_AesGcmEncrypt(
			&aes, text, text, size, nonce, NONCE_BYTES, tag, TAG_BYTES, name, WOLFSSL_TICKET_NAME_SZ);
	else if (!rc)
		rc = wc_AesGcmDecrypt(
			&aes, text, text, size, nonce, NONCE_BYTES, tag, TAG_BYTES, name, WOLFSSL_TICKET_NAME_SZ);
	wc_AesFree(&aes);
	explicit_bzero(&aes, sizeof(aes));
	return rc;
}

static int seal_ticket(const struct tls_tickets *tickets, WOLFSSL *ssl, uint64_t now, unsigned char *name,
	unsigned char *iv, unsigned char *mac, unsigned char *ticket, int size)
{
	uint8_t key[SECRET_BYTES];
	int rc = wc_RNG_GenerateBlock(wolfSSL_GetRNG(ssl), iv, WOLFSSL_TICKET_IV_SZ);

	memcpy(name, tickets->name_tag, NAME_TAG_BYTES);
	memcpy(name + NAME_TAG_BYTES, &now, sizeof(now));
	memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
	if (!rc)
		rc = derive(tickets, now, key);
	if (!rc)
		rc = code(key, 1, name, iv, mac, ticket, (word32)size);
	explicit_bzero(key, sizeof(key));
	return rc ? WOLFSSL_TICKET_RET_FATAL : WOLFSSL_TICKET_RET_OK;
}

static int open_ticket(const struct tls_tickets *tickets, uint64_t now, unsigned char *name, unsigned char *iv,
	unsigned char *mac, unsigned char *ticket, int size)
{
	uint8_t key[SECRET_BYTES];
	uint64_t number;
	int rc;

	memcpy(&number, name + NAME_TAG_BYTES, sizeof(number));
	if (memcmp(name, tickets->name_tag, NAME_TAG_BYTES) != 0 || (number != now && number + 1 != now))
		return WOLFSSL_TICKET_RET_REJECT;
	rc = derive(tickets, number, key);
	if (!rc)
		rc = code(key, 0, name, iv, mac, ticket, (word32)size);
	explicit_bzero(key, sizeof(key));
	return rc ? WOLFSSL_TICKET_RET_REJECT : WOLFSSL_TICKET_RET_OK;
}

static int on_ticket(WOLFSSL *ssl, unsigned char name[WOLFSSL_TICKET_NAME_SZ], unsigned char iv[WOLFSSL_TICKET_IV_SZ],
	unsigned char mac[WOLFSSL_TICKET_MAC_SZ], int seal, unsigned char *ticket, int size, int *out_size,
	void *context)
{
	const struct tls_tickets *tickets = context;
	uint64_t now = clock_wall_ns() / NS_PER_S / TLS_TICKET_ROTATION_S;

	*out_size = size;
	if (seal)
		return seal_ticket(tickets, ssl, now, name, iv, mac, ticket, size);
	return open_ticket(tickets, now, name, iv, mac, ticket, size);
}

int tls_tickets_use(const struct tls_tickets *tickets, WOLFSSL_CTX *ctx)
{
	int rc = wolfSSL_CTX_set_TicketEncCb(ctx, on_ticket);

	if (rc == WOLFSSL_SUCCESS)
		rc = wolfSSL_CTX_set_TicketEncCtx(ctx, (void *)(uintptr_t)tickets);
	if (rc == WOLFSSL_SUCCESS)
		rc = wolfSSL_CTX_set_TicketHint(ctx, TLS_TICKET_ROTATION_S);
	if (rc == WOLFSSL_SUCCESS)
		rc = wolfSSL_CTX_set_timeout(ctx, TLS_TICKET_ROTATION_S);
	return rc == WOLFSSL_SUCCESS ? 0 : -1;
}
