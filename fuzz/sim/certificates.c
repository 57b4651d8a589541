/* See certificates.h. */
#include "fuzz/sim/certificates.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/sim/sim.h"
#include "fuzz/sim/bytes.h"
#include "tls/tests/authority.h"

/*
 * Numbers of descriptors go into paths and paths into a history: from here on they are free in any environment, so they
 * are the same.
 */
enum { SEED = 1, DESCRIPTOR_FIRST = 200, PATH_BYTES = 32 };

/* Earlier than the worlds in which they are used, whose clocks step back some hours. */
#define MADE_NS ((1767225600 - 5 * 86400) * NS_PER_S)

struct file {
	int fd;
	char path[PATH_BYTES];
};

struct certificates {
	struct file issuer, chains[CERTIFICATE_NAMES], keys[CERTIFICATE_NAMES];
};

static void take_file(struct file *file, const char *path)
{
	char text[8192];
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("certificate", MFD_CLOEXEC);
	ssize_t size = read(from, text, sizeof(text));

	assert(from >= 0 && to >= 0 && size > 0 && (size_t)size < sizeof(text));
	file->fd = fcntl(to, F_DUPFD_CLOEXEC, DESCRIPTOR_FIRST);
	assert(file->fd >= 0 && write(file->fd, text, (size_t)size) == size);
	close(from);
	close(to);
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

static void issue(struct certificates *c, struct authority *authority, enum certificate_name name, const char *host)
{
	authority_issue(authority, host);
	take_file(&c->chains[name], authority_path(authority, host, ".pem"));
	take_file(&c->keys[name], authority_path(authority, host, ".key"));
}

struct certificates *certificates_make(void)
{
	const struct sim_options options = {.wall_ns = MADE_NS};
	struct certificates *c = sim_grown(NULL, sizeof(*c));
	struct sim *sim = sim_open(SEED, &options);
	struct authority *authority;

	assert(sim);
	sim_process_enter(sim_process_start(sim_host_add(sim, "authority", "10.0.4.1")));
	authority = authority_open();
	take_file(&c->issuer, authority_path(authority, "issuer", ".pem"));
	issue(c, authority, CERTIFICATE_GATE, CERTIFIED_GATE);
	issue(c, authority, CERTIFICATE_GATE_NEXT, CERTIFIED_GATE);
	issue(c, authority, CERTIFICATE_PROVIDER, CERTIFIED_PROVIDER);
	issue(c, authority, CERTIFICATE_STRANGER, "stranger.sim");
	authority_close(authority);
	sim_process_leave();
	sim_close(sim);
	return c;
}

void certificates_free(struct certificates *c)
{
	if (!c)
		return;
	close(c->issuer.fd);
	for (unsigned i = 0; i < CERTIFICATE_NAMES; i++) {
		close(c->chains[i].fd);
		close(c->keys[i].fd);
	}
	free(c);
}

const char *certificates_issuer(const struct certificates *c)
{
	return c->issuer.path;
}

const char *certificates_chain(const struct certificates *c, enum certificate_name name)
{
	return c->chains[name].path;
}

const char *certificates_key(const struct certificates *c, enum certificate_name name)
{
	return c->keys[name].path;
}
