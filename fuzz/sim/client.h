/*
 * A client as an actor: opens connections to a gateway, sends requests of all kinds on them, reads the answers strictly
 * and notes what it got. It may leave, dawdle, send halves and nonsense.
 */
#ifndef FUZZ_SIM_CLIENT_H
#define FUZZ_SIM_CLIENT_H

#include "fuzz/sim/scenario.h"

struct client *client_open(struct scenario *scenario, unsigned index);
void client_free(struct client *client);
void client_start(struct client *client);

bool client_is_done(const struct client *client); /* has asked all it had to, and waits for nothing */

struct sim_host *client_host(const struct client *client);

/* The call whose answer it waits for; NULL: none. */
const struct call *client_waiting(const struct client *client);

#endif
