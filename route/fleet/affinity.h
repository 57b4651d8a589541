/*
 * Which replica of one's own hardware a prompt goes to: servers keep the work done for a prompt's beginning, so the
 * next turn of a conversation is cheaper where the last one was. Rendezvous hashing (Thaler and Ravishankar, 1998)
 * gives each prompt an order of replicas in which it loses its place only when that replica goes; the load of each is
 * bounded (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads", 2018). Pure, and without a
 * state.
 */
#ifndef ROUTE_AFFINITY_H
#define ROUTE_AFFINITY_H

#include <stdint.h>

enum { AFFINITY_PROMPT_BYTES = 1024 }; /* so much of a prompt's beginning tells it from others */

/*
 * The index of the first replica in the prompt's order that has at most a quarter more calls in flight than the others
 * would have on average with this one; `count` replicas, at least 1. There always is one.
 */
unsigned affinity_choose(const uint64_t *replicas, const uint32_t *in_flight, unsigned count, uint64_t prompt);

#endif
