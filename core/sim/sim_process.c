/* Hosts, their processes, and which process is the current one. */
#include "core/sim/sim_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { ENTERED_MAX = 16, PORT_FIRST = 32768 };

/*
 * clock_monotonic_ns(), rand_system() and ring_open() have no argument for the process that calls them, as the kernel
 * needs none; this is the simulation's register for it.
 */
static _Thread_local struct {
	struct sim_process *processes[ENTERED_MAX];
	unsigned count;
} entered;

struct sim_host *sim_host_add(struct sim *sim, const char *name, const char *ipv4)
{
	struct sim_host *host = sim_allocate(sizeof(*host));
	int rc = inet_pton(AF_INET, ipv4, &host->address);

	assert(rc == 1);
	snprintf(host->name, sizeof(host->name), "%s", name);
	host->sim = sim;
	host->index = sim->host_count++;
	host->last_port = PORT_FIRST;
	list_init(&host->listeners);
	list_init(&host->listening);
	list_init(&host->processes);
	list_append(&sim->hosts, &host->link);
	return host;
}

void sim_host_address(const struct sim_host *host, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	v4->sin_family = AF_INET;
	v4->sin_addr = host->address;
	v4->sin_port = htons(port);
}

const char *sim_host_name(const struct sim_host *host)
{
	return host->name;
}

uint64_t sim_wall_ns(const struct sim_host *host)
{
	return host->sim->options.wall_ns + host->sim->now_ns - host->sim->start_ns + (uint64_t)host->wall_offset_ns;
}

void sim_step_wall(struct sim_host *host, int64_t by_ns)
{
	host->wall_offset_ns += by_ns;
	sim_note(host->sim, host, "wall", (uint64_t)by_ns, 0);
}

struct sim_process *sim_process_start(struct sim_host *host)
{
	struct sim_process *process = sim_allocate(sizeof(*process));

	process->host = host;
	process->index = host->sim->process_count++;
	list_init(&process->shards);
	list_init(&process->rings);
	list_init(&process->sockets);
	list_init(&process->queries);
	list_append(&host->processes, &process->link);
	sim_note(host->sim, host, "process", process->index, 0);
	return process;
}

struct sim_host *sim_process_host(const struct sim_process *process)
{
	return process->host;
}

void *sim_process_user(const struct sim_process *process)
{
	return process->user;
}

void sim_process_set_user(struct sim_process *process, void *user)
{
	process->user = user;
}

struct sim_process *sim_process_current(void)
{
	return entered.count ? entered.processes[entered.count - 1] : NULL;
}

void sim_process_enter(struct sim_process *process)
{
	void (*tell)(struct sim_process *) = process->host->sim->options.entered;

	assert(!process->killed);
	assert(entered.count < ENTERED_MAX);
	if (tell && sim_process_current() != process)
		tell(process);
	entered.processes[entered.count++] = process;
}

void sim_process_leave(void)
{
	struct sim_process *left = sim_process_current(), *now;
	void (*tell)(struct sim_process *) = left->host->sim->options.entered;

	entered.count--;
	now = sim_process_current();
	if (tell && now != left)
		tell(now);
}

static bool is_entered(const struct sim_process *process)
{
	for (unsigned i = 0; i < entered.count; i++)
		if (entered.processes[i] == process)
			return true;
	return false;
}

void sim_process_kill(struct sim_process *process)
{
	assert(!process->killed);
	assert(!is_entered(process));
	sim_note(process->host->sim, process->host, "killed", process->index, process->socket_count);
	process->killed = true;
	for (struct list *link; (link = list_take_first(&process->shards));)
		sim_shard_kill(container_of(link, struct sim_shard, link));
	process->shard_count = 0;
	resolve_sim_kill(process);
	ring_sim_kill(process);
}

bool sim_process_killed(const struct sim_process *process)
{
	return process->killed;
}

unsigned sim_process_sockets(const struct sim_process *process)
{
	return process->socket_count;
}

unsigned sim_process_rings(const struct sim_process *process)
{
	return process->ring_count;
}

unsigned sim_process_shards(const struct sim_process *process)
{
	return process->shard_count;
}
