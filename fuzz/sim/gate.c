/* See gate.h. */
#include "fuzz/sim/gate.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "fuzz/sim/bytes.h"
#include "fuzz/sim/invariants.h"
#include "route/gateway/gateway_shard.h"

enum { RING_ENTRIES = 256, ARENAS_KEPT = 32 };
#define LOOK_NS (5 * NS_PER_MS)
#define TRY_AGAIN_NS NS_PER_S

static void on_look(struct sim_event *event);

static struct sim *world(const struct gate *gate)
{
	return gate->scenario->sim;
}

struct gate *gate_open(struct scenario *s, unsigned index)
{
	struct gate *gate = sim_grown(NULL, sizeof(*gate));
	char address[16];

	memset(gate, 0, sizeof(*gate));
	gate->scenario = s;
	gate->index = index;
	snprintf(gate->name, sizeof(gate->name), "gate%u", index);
	snprintf(address, sizeof(address), "10.0.1.%u", index + 1);
	gate->host = sim_host_add(s->sim, gate->name, address);
	gate->disk = sim_disk_open(sim_rand(s->sim));
	gate->look.run = on_look;
	return gate;
}

void gate_free(struct gate *gate)
{
	sim_disk_close(gate->disk);
	free(gate);
}

void gate_entered(struct sim_process *process)
{
	struct gate *gate = process ? sim_process_user(process) : NULL;

	sim_disk_use(gate ? gate->disk : NULL);
}

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	const struct gate *gate = context;

	scenario_break(gate->scenario, "configuration", "line %u, column %u: %s", line, column, message);
}

static void ignore(void *context, unsigned line, unsigned column, const char *message)
{
	(void)context;
	(void)line;
	(void)column;
	(void)message;
}

static struct settings *settings_of(struct gate *gate)
{
	struct bytes yaml = {0};
	struct settings *settings;

	scenario_configuration(gate->scenario, gate->index, &yaml);
	settings = settings_parse(bytes_slice(&yaml), complain, ignore, gate);
	bytes_free(&yaml);
	return settings;
}

static void end_life(struct gate *gate, enum life_end end)
{
	struct life *life = &gate->lives[gate->life_count - 1];

	life->end = end;
	life->ended_ns = sim_now_ns(world(gate));
	gate->process = NULL;
	gate->node = NULL;
	gate->state = GATE_DOWN;
	sim_event_cancel(world(gate), &gate->look);
}

static void on_started(void *context)
{
	((struct gate *)context)->started_count++;
}

static int open_node(struct gate *gate, char *why, size_t why_bytes)
{
	const struct terms *terms = &gate->scenario->terms;
	struct node_options options = {.name = gate->name,
		.settings = settings_of(gate),
		.shard_count = terms->shard_count,
		.journal_bytes = terms->journal_bytes,
		.ring = {.entry_count = RING_ENTRIES,
			.buffer_count = terms->buffer_count,
			.buffer_bytes = terms->buffer_bytes},
		.arena_blocks_kept = ARENAS_KEPT,
		.log_fd = -1,
		.shard_started = on_started,
		.context = gate};
	int rc;

	if (!options.settings)
		return -EINVAL;
	rc = node_open(&gate->node, &options, why, why_bytes);
	for (unsigned i = 0; rc == 0 && i < terms->shard_count; i++)
		rc = node_start_shard(gate->node, i, -1, why, why_bytes);
	return rc;
}

/* Nothing runs yet: what was opened closes at once. */
static void close_unstarted(struct gate *gate)
{
	if (!gate->node)
		return;
	node_stop(gate->node);
	node_close(gate->node);
}

static void start(struct gate *gate)
{
	char why[256] = "";
	int rc;

	if (gate->life_count == LIVES_MAX)
		return;
	gate->lives[gate->life_count++] = (struct life){.end = LIFE_GOES_ON};
	gate->started_count = 0;
	gate->process = sim_process_start(gate->host);
	sim_process_set_user(gate->process, gate);
	sim_process_enter(gate->process);
	rc = open_node(gate, why, sizeof(why));
	if (rc < 0)
		close_unstarted(gate);
	sim_process_leave();
	if (rc == 0) {
		gate->state = GATE_STARTING;
		sim_after(world(gate), &gate->look, LOOK_NS);
		return;
	}
	if (!sim_disk_full(gate->disk) && !sim_disk_stopped(gate->disk))
		scenario_break(gate->scenario, "starts", "%s cannot start: %s", gate->name, why);
	sim_note(world(gate), gate->host, "start failed", (uint64_t)-rc, 0);
	if (sim_disk_stopped(gate->disk)) {
		gate->node = NULL;
		gate_kill(gate, gate->cut_power);
	} else {
		end_life(gate, LIFE_DRAINED);
		gate->life_count--; /* nobody met it */
	}
	gate_start_after(gate, TRY_AGAIN_NS);
}

static void started(struct gate *gate)
{
	char why[256];

	for (unsigned i = 0; i < gate->scenario->terms.shard_count; i++)
		if (node_start_result(gate->node, i, why, sizeof(why)) < 0)
			scenario_break(gate->scenario, "starts", "a shard of %s cannot start: %s", gate->name, why);
	gate->state = GATE_UP;
	sim_note(world(gate), gate->host, "up", gate->life_count, 0);
}

static void finish(struct gate *gate)
{
	sim_process_enter(gate->process);
	node_stop(gate->node);
	invariants_at_rest(gate);
	node_close(gate->node);
	sim_process_leave();
	invariants_closed(gate);
	sim_note(world(gate), gate->host, "down", gate->life_count, 0);
	if (sim_disk_stopped(gate->disk)) {
		gate->node = NULL;
		gate_kill(gate, gate->cut_power);
		return;
	}
	end_life(gate, LIFE_DRAINED);
}

static void look_at_drain(struct gate *gate)
{
	struct gateway *gateway = node_gateway(gate->node);
	struct life *life = &gate->lives[gate->life_count - 1];

	if (gateway_drained(gateway)) {
		finish(gate);
		if (!gate->scenario->closing)
			gate_start_after(gate, pick(gate->scenario, 0, 2 * NS_PER_S));
		return;
	}
	if (!life->aborted && sim_now_ns(world(gate)) >= gate->abort_ns) {
		life->aborted = true;
		sim_note(world(gate), gate->host, "abort", 0, 0);
		sim_process_enter(gate->process);
		gateway_abort(gateway);
		sim_process_leave();
	}
	sim_after(world(gate), &gate->look, LOOK_NS);
}

static void on_look(struct sim_event *event)
{
	struct gate *gate = container_of(event, struct gate, look);

	switch (gate->state) {
	case GATE_DOWN:
		start(gate);
		break;
	case GATE_STARTING:
		if (gate->started_count == gate->scenario->terms.shard_count)
			started(gate);
		else
			sim_after(world(gate), &gate->look, LOOK_NS);
		break;
	case GATE_DRAINING:
		look_at_drain(gate);
		break;
	case GATE_UP:
		break;
	}
}

void gate_start_after(struct gate *gate, uint64_t delay_ns)
{
	if (gate->state == GATE_DOWN)
		sim_after(world(gate), &gate->look, delay_ns);
}

void gate_drain(struct gate *gate)
{
	if (gate->state != GATE_UP)
		return;
	gate->state = GATE_DRAINING;
	gate->abort_ns = sim_now_ns(world(gate)) + node_settings(gate->node)->drain_timeout_ns;
	sim_note(world(gate), gate->host, "drain", 0, 0);
	sim_process_enter(gate->process);
	gateway_drain(node_gateway(gate->node));
	sim_process_leave();
	sim_after(world(gate), &gate->look, LOOK_NS);
}

void gate_reload(struct gate *gate)
{
	struct settings *settings;
	char why[256];
	int rc;

	if (gate->state != GATE_UP)
		return;
	sim_note(world(gate), gate->host, "reload", 0, 0);
	gate->wrong_key = gate->scenario->terms.client_tls && chance(gate->scenario, 16384);
	gate->reload_count += !gate->wrong_key;
	sim_process_enter(gate->process);
	settings = settings_of(gate);
	rc = settings ? node_reload(gate->node, settings, why, sizeof(why)) : 0;
	if (rc < 0 && !gate->wrong_key)
		scenario_break(gate->scenario, "starts", "%s cannot reload: %s", gate->name, why);
	if (rc == 0 && gate->wrong_key)
		scenario_break(gate->scenario, "a certificate without its key is refused", "%s took it", gate->name);
	sim_process_leave();
	gate->wrong_key = false;
}

void gate_kill(struct gate *gate, bool power)
{
	if (gate->state == GATE_DOWN && !gate->process)
		return;
	sim_process_kill(gate->process);
	if (power)
		sim_disk_cut_power(gate->disk);
	else
		sim_disk_process_died(gate->disk);
	if (gate->node)
		sim_keep(world(gate), gate->node, NULL);
	end_life(gate, power ? LIFE_POWER_CUT : LIFE_KILLED);
}

void gate_stop_after(struct gate *gate, uint64_t calls, bool power)
{
	if (sim_disk_stopped(gate->disk))
		return;
	gate->cut_power = power;
	sim_disk_stop_after(gate->disk, calls, power);
}

void gate_look_at_disk(struct gate *gate)
{
	if (!gate->process || !sim_disk_stopped(gate->disk))
		return;
	gate_kill(gate, gate->cut_power);
	gate_start_after(gate, pick(gate->scenario, 0, 2 * NS_PER_S));
}
