/* The ring's contract in the simulated world: many seeds without faults of the network, with all that a kernel may do.
 */
#include "core/sim/sim.h"
#include "core/tests/ring_contract.h"

enum { SEEDS = 40, PORT = 8080 };

/* cmocka's tests have no argument of their own here, and each needs its world. */
static struct {
	uint64_t seed;
	struct sim *sim;
	struct sim_process *process;
} current;

static struct sim_options options(uint64_t seed)
{
	struct sim_options o = {.network = {.split = SIM_ALWAYS / 2, .stall = SIM_ALWAYS / 64},
		.delay_min_ns = 1000,
		.delay_max_ns = 200000};

	o.network.stall_max_ns = 300000; /* below what the checks wait */
	if (seed % 4)
		o.ring = (struct sim_ring_faults){.shuffle = SIM_ALWAYS / 2,
			.receive_restart = SIM_ALWAYS / 4,
			.receive_short = SIM_ALWAYS / 4,
			.send_short = SIM_ALWAYS / 4,
			.send_late = SIM_ALWAYS / 4,
			.cancel_late = SIM_ALWAYS / 4,
			.wake_spurious = SIM_ALWAYS / 8};
	return o;
}

unsigned contract_rounds(void)
{
	return SEEDS;
}

void contract_begin(unsigned round)
{
	current.seed = round;
}

void contract_open(struct pair *pair)
{
	const struct ring_options ring = {
		.entry_count = 8, .buffer_count = CONTRACT_BUFFERS, .buffer_bytes = CONTRACT_BUFFER_BYTES};
	struct sim_options o = options(current.seed);
	char why[256] = "";

	current.sim = sim_open(current.seed, &o);
	assert_non_null(current.sim);
	current.process = sim_process_start(sim_host_add(current.sim, "node", "10.0.0.1"));
	sim_process_enter(current.process);
	assert_int_equal(ring_open(&pair->ring, &ring, why, sizeof(why)), 0);
	assert_int_equal(ring_enable(pair->ring), 0);
	*(struct sockaddr_in *)&pair->address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void contract_close(struct pair *pair)
{
	assert_int_equal(sim_process_sockets(current.process), 0);
	ring_close(pair->ring);
	sim_process_leave();
	assert_int_equal(sim_process_rings(current.process), 0);
	sim_close(current.sim);
}

int contract_listen(struct pair *pair)
{
	return ring_listen(pair->ring, &pair->address, 16, true);
}

int main(void)
{
	return run_contract("ring_sim");
}
