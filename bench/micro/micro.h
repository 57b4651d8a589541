/*
 * micro: what the library's single steps cost, each repeated on one thread with all it needs in the caches.
 *
 *   main.c      command line, passes, what is printed
 *   measure.c   one pass of one step;  passes.c  the middle of several
 *   material.c  the requests and events that the steps are given
 *   yardstick.c, json.c, chat.c, http.c, route.c, routing.c, score.c, receipt.c, sse.c   the steps
 *
 * A step's nanoseconds are processor time of this thread, so that other programs on the machine count less. They change
 * with the machine all the same: what is kept and compared is the ratio to the yardstick of the same run.
 */
#ifndef BENCH_MICRO_MICRO_H
#define BENCH_MICRO_MICRO_H

#include "core/slice.h"

#include <stdlib.h>

struct micro {
	const char *name; /* NULL: the end of a table */
	const char *what;
	void *(*open)(void);                      /* NULL: it could not be prepared */
	void (*run)(void *state, uint64_t times); /* each time the same, and its result is checked */
	void (*close)(void *state);
	unsigned units;                  /* of what `what` names, in each time */
	void (*tell)(const void *state); /* what else there is to say, a line on stdout; NULL: nothing */
};

/* The tables of steps. */
extern const struct micro micro_yardstick[], micro_json[], micro_chat[], micro_http[], micro_route[], micro_receipt[],
	micro_sse[], micro_score[], micro_routing[];

/* material.c: bytes with the padding that json_parse() asks for; .data is NULL when memory is out. The caller frees it.
 */
struct slice micro_padded(const char *bytes, size_t size);
struct slice micro_request(size_t size); /* a chat request of exactly that many bytes, at least 400 */
struct slice micro_event(void);          /* the document of a usual event */

/* measure.c: nanoseconds of one unit. */
double micro_pass(const struct micro *micro, void *state, uint64_t times);
/* How many times fill about `wanted_ns`; at least 1. */
uint64_t micro_times(const struct micro *micro, void *state, uint64_t wanted_ns);

/* passes.c: sorts them; of an even count the mean of the two in the middle; 0 of none. */
double passes_median(double *values, unsigned count);

/* The compiler may not know what a step made of its result. */
static inline void micro_use(const void *result)
{
	__asm__ volatile("" : : "r"(result) : "memory");
}

/* Ends the program when a step did not do what it is measured for. */
void micro_expect(bool good, const char *step);

#endif
