/*
 * A provider as an actor: speaks HTTP/1.1 and the OpenAI API as real ones do, on good and on bad days. It checks that
 * what comes is well-formed and the client's own text, and echoes its marker.
 */
#ifndef FUZZ_SIM_PROVIDER_H
#define FUZZ_SIM_PROVIDER_H

#include "fuzz/sim/scenario.h"

enum { PROVIDER_PORT = 8000 };

struct provider *provider_open(struct scenario *scenario, unsigned index);
void provider_free(struct provider *provider);

struct sim_host *provider_host(const struct provider *provider);

/* Not listening, so that connecting is refused; what is connected stays. */
void provider_set_down(struct provider *provider, bool down);

/* Bytes of answers to `call` that have left towards the gateway, those of the attempt that is open. */
uint64_t provider_sent_bytes(const struct provider *provider, uint32_t call);

unsigned provider_connections(const struct provider *provider);

#endif
