/*
 * Outages: what one host sends does not reach another for a time, in one direction or in both, and a machine stands
 * still. TCP loses nothing by that: what was lost is sent again, the later the longer it lasted. So an outage is a
 * delay here, of bytes, ends, resets and the legs of a handshake alike.
 */
#include "core/sim/sim_internal.h"

#include <stdlib.h>

struct sim_path {
	struct list link;
	const struct sim_host *from, *to;
	uint64_t cut_ns, until_ns;
};

static struct sim_path *find(const struct sim *sim, const struct sim_host *from, const struct sim_host *to)
{
	for (struct list *link = sim->paths.next; link != &sim->paths; link = link->next) {
		struct sim_path *path = container_of(link, struct sim_path, link);

		if (path->from == from && path->to == to)
			return path;
	}
	return NULL;
}

uint64_t sim_path_wait_ns(struct sim *sim, const struct sim_host *from, const struct sim_host *to)
{
	const struct sim_path *path = find(sim, from, to);

	if (!path || path->until_ns <= sim->now_ns)
		return 0;
	/* The pauses between two tries double, so the one that meets the end is about half of the outage at most. */
	return path->until_ns - sim->now_ns + sim_draw_between(sim, 0, (path->until_ns - path->cut_ns) / 2);
}

void sim_path_cut(struct sim_host *from, struct sim_host *to, uint64_t duration_ns)
{
	struct sim *sim = from->sim;
	struct sim_path *path = find(sim, from, to);

	if (!path) {
		path = sim_allocate(sizeof(*path));
		path->from = from;
		path->to = to;
		list_append(&sim->paths, &path->link);
	}
	path->cut_ns = sim->now_ns;
	path->until_ns = sim->now_ns + duration_ns;
	sim_note(sim, from, "cut off from", to->index, duration_ns);
	sim_flows_plan_again(sim, from, to);
}

void sim_paths_heal(struct sim *sim)
{
	for (struct list *link; (link = list_take_first(&sim->paths));) {
		struct sim_path *path = container_of(link, struct sim_path, link);

		sim_flows_plan_again(sim, path->from, path->to);
		free(path);
	}
}

void sim_host_wedge(struct sim_host *host, uint64_t duration_ns)
{
	host->wedged_until_ns = host->sim->now_ns + duration_ns;
	sim_note(host->sim, host, "wedged", duration_ns, 0);
}
