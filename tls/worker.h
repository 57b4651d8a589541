/*
 * What the TLS connections of one shard share: memory for bytes on their way, entropy, counts, and the rations of
 * handshakes. Belongs to the shard's thread.
 *
 * A handshake of a server begins when the second's ration and the turn's have room, its further steps and a client's
 * when the turn's has. What has begun goes before what is to begin. Of those that wait to begin there are as many as
 * begin in a second, so that nobody waits longer; more are refused.
 */
#ifndef TLS_WORKER_H
#define TLS_WORKER_H

#include "core/shard.h"
#include "tls/cause.h"
#include "tls/hello.h"
#include "tls/output.h"
#include "tls/ration.h"

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
	struct list queue;    /* of tls_turn: handshakes that have begun, and wait for a turn */
	struct list to_begin; /* of tls_turn */
	unsigned to_begin_count, steps_left;
	struct turn_hook hook;
	struct timer timer; /* when the next may begin */
	struct tls_ration ration;
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
	bool begun;   /* it was in the second's ration, or needs none */
	bool counted; /* among those that are to begin */
	void (*run)(struct tls_turn *turn);
};

/* In the shard's thread. -ENOMEM. */
int tls_worker_open(struct tls_worker **worker, struct shard *shard);
void tls_worker_close(struct tls_worker *worker); /* no connection is left; NULL is let pass */

/* Bounds on how many handshakes of servers begin in a second, in all and from one address; 0: none, as at first. */
void tls_worker_configure(struct tls_worker *worker, uint32_t per_s, uint32_t per_ip_per_s);

/* Whether an address may begin another handshake; when not, that is counted. For each connection that is accepted. */
bool tls_worker_takes(struct tls_worker *worker, const struct sockaddr_storage *peer);

enum tls_admission {
	TLS_ADMITTED, /* the caller may do a handshake's step now */
	TLS_WAITS,    /* `turn->run` comes in a later turn */
	TLS_REFUSED,  /* and counted */
};
enum tls_admission tls_worker_admit(struct tls_worker *worker, struct tls_turn *turn);

/* It waits no more. */
void tls_worker_withdraw(struct tls_worker *worker, struct tls_turn *turn);

/* Room for one record's plaintext; NULL when memory is out. */
struct buffer *tls_worker_buffer(struct tls_worker *worker);

#endif
