/*
 * See entropy.h. wolfSSL's callback knows no context, so the thread's current source is the one thing that is
 * thread-local.
 */
#include "tls/entropy.h"

#include "core/rand.h"
#include "tls/secret.h"
#include "tls/secret_heap.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/chacha.h>
#include <wolfssl/wolfcrypt/random.h>

enum { KEY_BYTES = 32, SEED_MAX_BYTES = 512 }; /* wolfSSL asks for at most 132 */

struct tls_entropy {
	uint8_t key[KEY_BYTES];
	ChaCha cipher;
};

static _Thread_local struct tls_entropy *current;

static int give_seed(OS_Seed *os, byte *seed, word32 size)
{
	static const uint8_t zeros[KEY_BYTES + SEED_MAX_BYTES];
	uint8_t stream[KEY_BYTES + SEED_MAX_BYTES];
	struct tls_entropy *e = current;

	(void)os;
	if (!e) {
		rand_system(seed, size);
		return 0;
	}
	if (size > SEED_MAX_BYTES || wc_Chacha_SetKey(&e->cipher, e->key, KEY_BYTES) ||
		wc_Chacha_SetIV(&e->cipher, zeros, 0) || wc_Chacha_Process(&e->cipher, stream, zeros, KEY_BYTES + size))
		return RNG_FAILURE_E;
	memcpy(e->key, stream, KEY_BYTES);
	memcpy(seed, stream + KEY_BYTES, size);
	explicit_bzero(stream, sizeof(stream));
	return 0;
}

static void start(void)
{
	secret_heap_set_up();
	wolfSSL_Init(); /* sets a callback of its own */
	wc_SetSeed_Cb(give_seed);
}

void tls_entropy_set_up(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start);
}

struct tls_entropy *tls_entropy_open(void)
{
	struct tls_entropy *entropy = secret_take(sizeof(*entropy));

	tls_entropy_set_up();
	if (entropy)
		rand_system(entropy->key, sizeof(entropy->key));
	return entropy;
}

void tls_entropy_close(struct tls_entropy *entropy)
{
	if (current == entropy)
		current = NULL;
	secret_give(entropy, sizeof(*entropy));
}

void tls_entropy_use(struct tls_entropy *entropy)
{
	current = entropy;
}
