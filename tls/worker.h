/*
 * What the TLS connections of one shard share: memory for bytes on their way, entropy, counts, and the turn's ration of
 * handshakes. Belongs to the shard's thread.
 */
#ifndef TLS_WORKER_H
#define TLS_WORKER_H

#include "core/shard.h"
#include "tls/cause.h"
#include "tls/hello.h"
#include "tls/output.h"

struct tls_entropy;
struct tls_server;

enum tls_side { TLS_SERVER_SIDE, TLS_CLIENT_SIDE, TLS_SIDE_COUNT };

enum {
	/*
	 * A full handshake costs 100 to 200 us with a P-256 key and over 1 ms with an RSA one: what runs beside waits
	 * for this many at most, and the flood's rest for the turns that follow.
	 */
	TLS_HANDSHAKES_A_TURN = 8,
	TLS_GATHER_BYTES = 24 * 1024,
};

struct tls_counts {
	uint64_t full[TLS_SIDE_COUNT], resumed[TLS_SIDE_COUNT]; /* handshakes that ended well */
	uint64_t failed[TLS_SIDE_COUNT][TLS_CAUSE_COUNT];
	uint64_t delayed; /* steps that waited for a later turn */
};

struct tls_worker {
	struct shard *shard;
	struct tls_entropy *entropy;
	struct tls_counts counts;
	struct tls_output_pool outputs;
	/* The worker's own. */
	struct buffer *free_buffers; /* of TLS_RECORD_MAX_BYTES, for what was opened */
	unsigned free_buffer_count, buffers_out;
	struct list queue; /* of tls_turn: handshakes that wait for a turn */
	unsigned steps_left;
	struct turn_hook hook;
	char gather[TLS_GATHER_BYTES]; /* a record's plaintext, or a hello's bytes; empty between calls */
	char message[TLS_HELLO_MAX_BYTES];
};

/* What a shard's listener shows now; replaced in place on reload. Outlives the connections it accepted. */
struct tls_listener {
	struct tls_worker *worker;
	struct tls_server *server; /* a reference */
};

/* A connection's place in the queue. */
struct tls_turn {
	struct list link;
	void (*run)(struct tls_turn *turn);
};

/* In the shard's thread. -ENOMEM. */
int tls_worker_open(struct tls_worker **worker, struct shard *shard);
void tls_worker_close(struct tls_worker *worker); /* no connection is left; NULL is let pass */

/* True: the caller may do a handshake's step now. False: `turn` waits, and its `run` comes in a later turn. */
bool tls_worker_admit(struct tls_worker *worker, struct tls_turn *turn);

/* Room for one record's plaintext; NULL when memory is out. */
struct buffer *tls_worker_buffer(struct tls_worker *worker);

#endif
