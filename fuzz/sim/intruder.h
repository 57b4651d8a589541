/*
 * An actor that comes to a gateway's TLS port with what is no handshake, or with half of one. It has no calls in the
 * book: what it is told, and that it is shown the door in time, it checks itself.
 */
#ifndef FUZZ_SIM_INTRUDER_H
#define FUZZ_SIM_INTRUDER_H

#include "fuzz/sim/scenario.h"

struct intruder *intruder_open(struct scenario *scenario);
void intruder_free(struct intruder *intruder); /* NULL is let pass */

#endif
