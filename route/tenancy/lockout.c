/* The table of failures: see lockout.h. */
#include "route/tenancy/lockout.h"

#include "core/rand.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct failures {
	_Atomic uint64_t id; /* 0: nobody's */
	_Atomic uint64_t since_ns;
	_Atomic uint64_t until_ns; /* locked out until then */
	_Atomic uint32_t count;    /* since since_ns */
};

struct lockout {
	uint64_t seed;                         /* nobody can aim at a set */
	_Alignas(64) _Atomic uint64_t last_ns; /* nobody is locked out from then on */
	_Alignas(64) struct failures sets[LOCKOUT_SETS][LOCKOUT_WAYS];
};

struct lockout *lockout_open(void)
{
	struct lockout *lockout = aligned_alloc(64, sizeof(*lockout));

	if (!lockout)
		return NULL;
	memset(lockout, 0, sizeof(*lockout));
	rand_system(&lockout->seed, sizeof(lockout->seed));
	return lockout;
}

void lockout_close(struct lockout *lockout)
{
	free(lockout);
}

static uint64_t id_of(const struct lockout *lockout, const void *bytes, size_t size)
{
	return XXH3_64bits_withSeed(bytes, size, lockout->seed) | 1;
}

uint64_t lockout_id_of_address(const struct lockout *lockout, const struct sockaddr_storage *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return id_of(lockout, &((const struct sockaddr_in *)address)->sin_addr, 4);
	if (address->ss_family != AF_INET6)
		return id_of(lockout, "", 0);
	if (memcmp(v6->sin6_addr.s6_addr, mapped, sizeof(mapped)) == 0)
		return id_of(lockout, v6->sin6_addr.s6_addr + sizeof(mapped), 4);
	return id_of(lockout, v6->sin6_addr.s6_addr, 8);
}

uint64_t lockout_id_of_secret(const struct lockout *lockout, struct slice secret)
{
	uint8_t sha256[32] = {0};

	/* It fails for lack of memory alone; then secrets count as one for once, which locks out no key that exists. */
	(void)wc_Sha256Hash((const uint8_t *)secret.data, (word32)secret.size, sha256);
	return id_of(lockout, sha256, sizeof(sha256));
}

static struct failures *set_of(const struct lockout *lockout, uint64_t id)
{
	return (struct failures *)(uintptr_t)lockout->sets[(id >> 32) % LOCKOUT_SETS];
}

static struct failures *find(const struct lockout *lockout, uint64_t id)
{
	struct failures *set = set_of(lockout, id);

	for (unsigned i = 0; i < LOCKOUT_WAYS; i++)
		if (atomic_load_explicit(&set[i].id, memory_order_relaxed) == id)
			return &set[i];
	return NULL;
}

bool lockout_is_used(const struct lockout *lockout, uint64_t now_ns)
{
	return now_ns < atomic_load_explicit(&lockout->last_ns, memory_order_relaxed);
}

uint64_t lockout_left_ns(const struct lockout *lockout, uint64_t id, uint64_t now_ns)
{
	const struct failures *found;
	uint64_t until_ns;

	if (!lockout_is_used(lockout, now_ns))
		return 0;
	found = find(lockout, id);
	until_ns = found ? atomic_load_explicit(&found->until_ns, memory_order_relaxed) : 0;
	return until_ns > now_ns ? until_ns - now_ns : 0;
}

/* When it may be forgotten: of those that are not locked out, when they began to fail; after them all those that are.
 */
static uint64_t worth(const struct failures *f, uint64_t now_ns)
{
	uint64_t until_ns = atomic_load_explicit(&f->until_ns, memory_order_relaxed);

	if (!atomic_load_explicit(&f->id, memory_order_relaxed))
		return 0;
	if (until_ns > now_ns)
		return until_ns;
	return 1 + atomic_load_explicit(&f->since_ns, memory_order_relaxed);
}

static struct failures *take(struct lockout *lockout, uint64_t id, uint64_t now_ns)
{
	struct failures *set = set_of(lockout, id), *least = set;

	for (unsigned i = 1; i < LOCKOUT_WAYS; i++)
		if (worth(&set[i], now_ns) < worth(least, now_ns))
			least = &set[i];
	atomic_store(&least->until_ns, 0);
	atomic_store(&least->count, 0);
	atomic_store(&least->since_ns, now_ns);
	atomic_store(&least->id, id);
	return least;
}

static void raise_to(_Atomic uint64_t *most, uint64_t value)
{
	uint64_t now = atomic_load(most);

	while (now < value && !atomic_compare_exchange_weak(most, &now, value))
		;
}

bool lockout_fail(struct lockout *lockout, const struct lockout_settings *rules, uint64_t id, uint64_t now_ns)
{
	struct failures *f;

	if (!rules->failures)
		return false;
	f = find(lockout, id);
	if (!f)
		f = take(lockout, id, now_ns);
	if (atomic_load(&f->until_ns) > now_ns)
		return false; /* what comes while it is locked out does not count for later */
	if (now_ns >= atomic_load(&f->since_ns) + rules->window_ns) {
		atomic_store(&f->since_ns, now_ns);
		atomic_store(&f->count, 0);
	}
	if (atomic_fetch_add(&f->count, 1) + 1 < rules->failures)
		return false;
	/* The next window begins when it is let in again. */
	atomic_store(&f->count, 0);
	atomic_store(&f->since_ns, now_ns + rules->lock_ns);
	raise_to(&f->until_ns, now_ns + rules->lock_ns);
	raise_to(&lockout->last_ns, now_ns + rules->lock_ns);
	return true;
}
