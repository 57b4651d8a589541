/*
 * loadgen: HTTP/1.1 load on one thread, many connections. Closed loop: each connection sends its next request when the
 * last answer ended. Open loop: requests start at a fixed rate whether or not answers came; a request that had to wait
 * for a free connection is measured from when it should have started, so that a stall counts for all who would have met
 * it (coordinated omission). TLS is the gateway's own client: what counts is the server's processor time, not who asks.
 *
 *   options.c   command line -> the bytes of one request
 *   run.c       the loop: connections, schedule
 *   response.c  answers;  latency.c  histograms;  report.c  what is printed
 */
#ifndef BENCH_LOADGEN_LOADGEN_H
#define BENCH_LOADGEN_LOADGEN_H

#include "bench/loadgen/latency.h"
#include "core/slice.h"

#include <netinet/in.h>

enum { STATUS_MAX = 600, CONNECTIONS_MAX = 20000 };

struct options {
	struct sockaddr_in address;
	char *request; /* head and body, sent as it is */
	size_t request_bytes;
	unsigned connections;
	double rate;          /* a second; 0: closed loop */
	uint64_t duration_ns; /* 0: by count */
	uint64_t requests;    /* 0: by time */
	uint64_t timeout_ns;  /* for what is under way when the time is up, and for a run by count that stands still */
	unsigned abort_after; /* events, then the connection is closed; 0: never */
	bool sse, json;
	bool https, full_handshakes; /* connections do not resume the last one's session */
	const char *ca;              /* whom to trust, a PEM file; NULL: the system's store */
	char host[64];
};

struct results {
	uint64_t started_ns, ended_ns;
	uint64_t completed, aborted, unfinished;
	uint64_t full_handshakes, resumed_handshakes;
	uint64_t failed_connects, failed_reads,
		failed_answers; /* refused; ended or reset before the answer did; not HTTP */
	uint64_t statuses[STATUS_MAX];
	uint64_t body_bytes, sent_bytes, events;
	struct latency whole, first_event, gap;
};

/* False: said why on stderr. */
bool options_read(struct options *options, int argc, char **argv);

/* 0, or -errno when the loop could not be set up. */
int run(const struct options *options, struct results *results);

void report_print(const struct options *options, const struct results *results);

#endif
