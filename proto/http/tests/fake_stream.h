/*
 * A stand-in for tls/stream.c, linked in its place: a test plays the peer and the clock. Streams are numbered in the
 * order in which they were connected, from 0.
 */
#ifndef PROTO_TESTS_FAKE_STREAM_H
#define PROTO_TESTS_FAKE_STREAM_H

#include "tls/secure.h"

enum { FAKE_STREAMS_MAX = 32, FAKE_SENT_MAX = 512 };

/* A shard without a ring: timers, hooks and a time that stands still between turns. */
void fake_open(struct shard *shard);

/* One turn: time goes on, timers run, then hooks, then closed streams are told. */
void fake_turn(struct shard *shard, uint64_t later_ns);

unsigned fake_stream_count(void);       /* how many were ever connected */
bool fake_stream_open(unsigned number); /* stream_close() was not called */
bool fake_stream_paused(unsigned number);
bool fake_stream_reset(unsigned number);
uint16_t fake_stream_port(unsigned number); /* it was connected to */
/* What would leave if the ring submitted the send under way now. */
struct slice fake_stream_sending(unsigned number);

void fake_connected(unsigned number, int result);
void fake_sent(unsigned number, int result);
void fake_received(unsigned number, struct slice bytes);
void fake_ended(unsigned number); /* FIN */
void fake_failed(unsigned number, int error);

unsigned fake_buffers_out(void); /* received buffers that somebody still holds */

#endif
