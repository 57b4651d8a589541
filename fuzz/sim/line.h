/*
 * An actor's end of a connection (struct sim_peer), plain or sealed with TLS: what comes and goes through it is plain.
 *
 * As with a peer, the memory is the actor's again after connected() or closed() with an error, line_close(),
 * line_reset() and line_cut().
 */
#ifndef FUZZ_SIM_LINE_H
#define FUZZ_SIM_LINE_H

#include "core/sim/sim.h"
#include "fuzz/sim/bytes.h"

struct seal;

struct line { /* zeroed except for the callbacks and the seal */
	void (*connected)(
		struct line *line, int result); /* of line_connect() only; sealed: when the handshake is done */
	void (*received)(struct line *line, const char *bytes, size_t size);
	/* 0: the other side sends no more. -errno: it is over; sealed: also when the end came without having been said.
	 */
	void (*closed)(struct line *line, int result);
	void *user;
	struct seal *seal; /* NULL: plain; goes over to the line */
	/* The line's own. */
	struct sim_peer peer;
	struct sim *sim;
	struct sim_host *host;
	bool open, ended, *gone;
};

void line_connect(struct line *line, struct sim *sim, struct sim_host *host, const struct sockaddr_storage *address);
struct sim_peer *line_accept(struct line *line, struct sim *sim, struct sim_host *host); /* for a listener to return */

static inline bool line_is_there(const struct line *line)
{
	return line->peer.end;
}

int line_send(struct line *line, const void *bytes, size_t size);
void line_close(struct line *line);
void line_reset(struct line *line);
void line_cut(struct line *line); /* closes without having said so: plain, it is a close */

#endif
