/* What clients send: the bytes of a call's request, whole or wrong in the way that its kind says. */
#ifndef FUZZ_SIM_REQUEST_H
#define FUZZ_SIM_REQUEST_H

#include "fuzz/sim/bytes.h"
#include "fuzz/sim/scenario.h"

#define KEY_OF_ALL "gw_sim_all"
#define KEY_OF_TWO "gw_sim_two"
#define MASTER_KEY "sim-master-key-0123456789"

enum call_kind request_draw_kind(struct scenario *scenario);

/* Draws what is not yet decided of `call` (its kind is) and appends the request; `about` is the id of CALL_RECEIPT. */
void request_write(struct scenario *scenario, struct call *call, const char *about, bool close, struct bytes *bytes);

/* The status that a call of this kind gets when nothing goes wrong. */
unsigned request_expected_status(enum call_kind kind);

#endif
