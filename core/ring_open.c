/*
 * Opening and closing an io_uring ring: what the kernel offers, and what to tell a person when it does not.
 */
#include "core/ring_uring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int probe_features(struct ring *ring, uint32_t without, unsigned setup_flags)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
	/*
	 * Socket commands (6.7) cannot be probed by opcode; FIXED_FD_INSTALL (6.8) can, and implies them. Nor can the
	 * receives' limit; PIPE is of the same release, and liburing does not name it yet. A kernel that nevertheless
	 * lacks it says so: on_received().
	 */
	enum { OPCODE_AFTER_SOCKET_OPTIONS = IORING_OP_FIXED_FD_INSTALL, OPCODE_BESIDE_RECEIVE_LIMIT = 62 };

	if (!probe)
		return -ENOSYS;
	ring->features = 0;
	if (setup_flags & IORING_SETUP_NO_SQARRAY)
		ring->features |= RING_NO_SQARRAY;
	if (io_uring_opcode_supported(probe, OPCODE_AFTER_SOCKET_OPTIONS))
		ring->features |= RING_SOCKET_OPTIONS;
	if (io_uring_opcode_supported(probe, OPCODE_BESIDE_RECEIVE_LIMIT))
		ring->features |= RING_RECEIVE_LIMIT;
	ring->features &= ~without;
	io_uring_free_probe(probe);
	return 0;
}

static int open_queue(struct ring *ring, const struct ring_options *options, struct io_uring_params *params)
{
	int rc = -EINVAL;

	for (int with_array = options->without & RING_NO_SQARRAY ? 1 : 0; rc == -EINVAL && with_array <= 1;
		with_array++) {
		*params = (struct io_uring_params){.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
							    IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
							    IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
			.cq_entries = options->entry_count * COMPLETIONS_PER_ENTRY};
		if (!with_array)
			params->flags |= IORING_SETUP_NO_SQARRAY;
		rc = io_uring_queue_init_params(options->entry_count, &ring->uring, params);
	}
	return rc;
}

static void explain_open(int rc, char *why, size_t why_bytes)
{
	static const struct {
		int error;
		const char *text;
	} causes[] = {
		{-ENOSYS, "this kernel has no io_uring; Linux 6.1 or newer is needed"},
		{-EPERM, "io_uring is forbidden here: check the sysctl kernel.io_uring_disabled, or the container's "
			 "seccomp profile"},
		{-EINVAL, "this kernel's io_uring is too old; Linux 6.1 or newer is needed"},
		{-ENOMEM, "no memory may be locked for io_uring: raise RLIMIT_MEMLOCK (LimitMEMLOCK=infinity, or the "
			  "container's memlock=-1)"},
		{-EMFILE, "too many open files: raise RLIMIT_NOFILE"},
	};

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (causes[i].error == rc) {
			snprintf(why, why_bytes, "io_uring: %s", causes[i].text);
			return;
		}
	}
	snprintf(why, why_bytes, "io_uring: %s", strerror(-rc));
}

int ring_open(struct ring **out, const struct ring_options *options, char *why, size_t why_bytes)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	struct io_uring_params params;
	int rc = -ENOMEM;

	assert((options->buffer_count & (options->buffer_count - 1)) == 0);
	assert(options->buffer_count > 0);
	assert(options->buffer_count <= 32768);
	if (!ring)
		goto fail;
	ring->event = -1;
	ring->uring.ring_fd = -1;
	ring->buffer_count = options->buffer_count;
	ring->buffer_bytes = options->buffer_bytes;
	list_init(&ring->starved);
	list_init(&ring->local);
	list_init(&ring->shutdowns);
	rc = open_queue(ring, options, &params);
	if (rc < 0) {
		ring->uring.ring_fd = -1;
		goto fail;
	}
	rc = probe_features(ring, options->without, params.flags);
	if (rc < 0)
		goto fail;
	rc = ring_make_buffers(ring);
	if (rc < 0)
		goto fail;
	rc = pool_open(&ring->shutdown_pool, sizeof(struct ring_shutdown), RING_SHUTDOWNS);
	if (rc < 0)
		goto fail;
	ring->event = eventfd(0, EFD_CLOEXEC);
	if (ring->event < 0) {
		rc = -errno;
		goto fail;
	}
	*out = ring;
	return 0;
fail:
	explain_open(rc, why, why_bytes);
	ring_close(ring);
	return rc;
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	ring_free_buffers(ring);
	if (ring->uring.ring_fd >= 0)
		io_uring_queue_exit(&ring->uring);
	ring_end_shutdowns(ring);
	if (ring->event >= 0)
		close(ring->event);
	free(ring);
}

uint32_t ring_features(const struct ring *ring)
{
	return ring->features;
}

struct ring_counts ring_counts(const struct ring *ring)
{
	return ring->counts;
}

uint32_t ring_buffers_held(const struct ring *ring)
{
	return ring->buffers_held;
}
