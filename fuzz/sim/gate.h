/*
 * A gateway in the simulated world: a machine with its disk, and the process on it, which is started, reloaded, drained
 * and killed, and lives again. What a process of its own does in tools/run.c for signals is done here for the scenario.
 */
#ifndef FUZZ_SIM_GATE_H
#define FUZZ_SIM_GATE_H

#include "fuzz/sim/scenario.h"
#include "route/gateway/node.h"
#include "store/disk_sim.h"

enum { GATE_PORT = 8080, LIVES_MAX = 64 };

enum life_end { LIFE_GOES_ON, LIFE_DRAINED, LIFE_KILLED, LIFE_POWER_CUT };

struct life {
	enum life_end end;
	uint64_t ended_ns;
	bool aborted; /* the drain took too long, or was told to hurry */
};

enum gate_state { GATE_DOWN, GATE_STARTING, GATE_UP, GATE_DRAINING };

struct gate {
	struct scenario *scenario;
	unsigned index;
	char name[8];
	struct sim_host *host;
	struct sim_disk *disk;
	struct sim_process *process; /* NULL: down */
	struct node *node;
	enum gate_state state;
	unsigned started_count;
	struct sim_event look; /* starting, draining: is it done?; down: start */
	uint64_t abort_ns;
	unsigned reload_count;
	bool wrong_key;      /* the configuration's certificate and key do not belong together */
	bool cut_power;      /* when the disk stops, the machine does */
	unsigned life_count; /* the last one is running, or over */
	struct life lives[LIVES_MAX];
};

struct gate *gate_open(struct scenario *scenario, unsigned index);
void gate_free(struct gate *gate);

void gate_start_after(struct gate *gate, uint64_t delay_ns); /* unless it is up by then */
void gate_drain(struct gate *gate);                          /* when it is up */
void gate_reload(struct gate *gate);
void gate_kill(struct gate *gate, bool power);

/* Kills it when the disk has come to its stop, from between the world's steps. */
void gate_stop_after(struct gate *gate, uint64_t calls, bool power);
void gate_look_at_disk(struct gate *gate);

static inline bool gate_is_up(const struct gate *gate)
{
	return gate->state == GATE_UP;
}

/* The kernel's process of `options->entered`: its disk becomes the current one. */
void gate_entered(struct sim_process *process);

#endif
