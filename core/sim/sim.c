/* The world's frame: opening and closing, time and its heap of events, chance, names, and what is kept. */
#include "core/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { START_S = 1000 };                        /* monotonic time at the start: hosts were up before */
#define WALL_DEFAULT_NS (1767225600 * NS_PER_S) /* 2026-01-01 */

struct kept {
	struct list link;
	void *memory;
	void (*release)(void *memory);
};

void *sim_allocate(size_t size)
{
	return sim_grow(NULL, size);
}

void *sim_grow(void *memory, size_t size)
{
	void *grown = memory ? realloc(memory, size) : calloc(1, size);

	if (!grown) {
		fputs("the simulated world has no memory left\n", stderr);
		abort();
	}
	return grown;
}

void *sim_array_room(void *array, size_t count, size_t *capacity)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 64;
	return sim_grow(array, *capacity * sizeof(void *));
}

/* ---- Opening and closing ---- */

static void set_default(uint64_t *least, uint64_t *most, uint64_t default_least, uint64_t default_most)
{
	if (*least || *most)
		return;
	*least = default_least;
	*most = default_most;
}

static void set_defaults(struct sim_options *o)
{
	uint64_t unused = 0;

	if (!o->wall_ns)
		o->wall_ns = WALL_DEFAULT_NS;
	set_default(&o->delay_min_ns, &o->delay_max_ns, 20 * NS_PER_US, 500 * NS_PER_US);
	set_default(&o->turn_min_ns, &o->turn_max_ns, 1 * NS_PER_US, 20 * NS_PER_US);
	set_default(&o->resolve_min_ns, &o->resolve_max_ns, 100 * NS_PER_US, 50 * NS_PER_MS);
	set_default(&o->network.stall_min_ns, &o->network.stall_max_ns, 10 * NS_PER_MS, 5 * NS_PER_S);
	set_default(&unused, &o->network.connect_timeout_ns, 0, 127 * NS_PER_S); /* Linux: six retries of a SYN */
	set_default(&unused, &o->ring.send_late_ns, 0, 2 * NS_PER_MS);
	set_default(&unused, &o->ring.shard_late_ns, 0, 20 * NS_PER_MS);
	if (!o->window_max_bytes) {
		o->window_min_bytes = 4 << 10;
		o->window_max_bytes = 256 << 10;
	}
}

struct sim *sim_open(uint64_t seed, const struct sim_options *options)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return NULL;
	if (options)
		sim->options = *options;
	set_defaults(&sim->options);
	rand_seed(&sim->rand, seed);
	rand_seed(&sim->scenario, rand_u64(&sim->rand));
	rand_seed(&sim->system, rand_u64(&sim->rand));
	sim->now_ns = START_S * NS_PER_S + rand_below(&sim->rand, NS_PER_S);
	sim->start_ns = sim->now_ns;
	list_init(&sim->hosts);
	list_init(&sim->connections);
	list_init(&sim->paths);
	list_init(&sim->ended);
	list_init(&sim->kept);
	list_init(&sim->names);
	return sim;
}

static void free_hosts(struct sim *sim)
{
	for (struct list *link; (link = list_take_first(&sim->hosts));) {
		struct sim_host *host = container_of(link, struct sim_host, link);

		for (struct list *p; (p = list_take_first(&host->processes));) {
			struct sim_process *process = container_of(p, struct sim_process, link);

			if (!process->killed)
				sim_process_kill(process);
			ring_sim_free(process);
			free(process);
		}
		free(host);
	}
}

static void free_name(struct sim_name *name)
{
	list_remove(&name->link);
	free(name->name);
	free(name->addresses);
	free(name);
}

void sim_close(struct sim *sim)
{
	if (!sim)
		return;
	assert(!sim->stepping);
	for (struct list *link; (link = list_take_first(&sim->kept));) {
		struct kept *kept = container_of(link, struct kept, link);

		if (kept->release)
			kept->release(kept->memory);
		free(kept);
	}
	sim_paths_heal(sim);
	free_hosts(sim);
	sim_free_ended(sim);
	while (!list_empty(&sim->connections))
		sim_connection_free(container_of(sim->connections.next, struct sim_connection, link));
	while (!list_empty(&sim->names))
		free_name(container_of(sim->names.next, struct sim_name, link));
	free(sim->rings);
	free(sim->sockets);
	free(sim->heap);
	free(sim);
}

int sim_keep(struct sim *sim, void *memory, void (*release)(void *memory))
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	kept->memory = memory;
	kept->release = release;
	list_prepend(&sim->kept, &kept->link);
	return 0;
}

/* ---- Time and chance ---- */

uint64_t sim_now_ns(const struct sim *sim)
{
	return sim->now_ns;
}

struct rand *sim_rand(struct sim *sim)
{
	return &sim->scenario;
}

bool sim_chance(struct sim *sim, uint32_t of_65536)
{
	return of_65536 && rand_u64(&sim->scenario) >> 48 < of_65536;
}

uint64_t sim_between(struct sim *sim, uint64_t least, uint64_t most)
{
	assert(least <= most);
	return most - least == UINT64_MAX ? rand_u64(&sim->scenario)
					  : least + rand_below(&sim->scenario, most - least + 1);
}

struct sim_network_faults *sim_network_faults(struct sim *sim)
{
	return &sim->options.network;
}

struct sim_ring_faults *sim_ring_faults(struct sim *sim)
{
	return &sim->options.ring;
}

void sim_calm(struct sim *sim)
{
	struct sim_options *o = &sim->options;

	o->network = (struct sim_network_faults){.stall_min_ns = o->network.stall_min_ns,
		.stall_max_ns = o->network.stall_max_ns,
		.connect_timeout_ns = o->network.connect_timeout_ns};
	sim_paths_heal(sim);
	o->ring =
		(struct sim_ring_faults){.send_late_ns = o->ring.send_late_ns, .shard_late_ns = o->ring.shard_late_ns};
}

/* ---- The heap ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void put(struct sim *sim, size_t place, struct sim_event *event)
{
	sim->heap[place - 1] = event;
	event->place = place;
}

static void sift_up(struct sim *sim, struct sim_event *event, size_t place)
{
	for (; place > 1 && before(event, sim->heap[place / 2 - 1]); place /= 2)
		put(sim, place, sim->heap[place / 2 - 1]);
	put(sim, place, event);
}

static void sift_down(struct sim *sim, struct sim_event *event, size_t place)
{
	for (size_t child; (child = place * 2) <= sim->heap_count; place = child) {
		if (child < sim->heap_count && before(sim->heap[child], sim->heap[child - 1]))
			child++;
		if (!before(sim->heap[child - 1], event))
			break;
		put(sim, place, sim->heap[child - 1]);
	}
	put(sim, place, event);
}

void sim_event_cancel(struct sim *sim, struct sim_event *event)
{
	size_t place = event->place;
	struct sim_event *last;

	if (!place)
		return;
	assert(sim->heap[place - 1] == event);
	event->place = 0;
	last = sim->heap[--sim->heap_count];
	if (last == event)
		return;
	if (place > 1 && before(last, sim->heap[place / 2 - 1]))
		sift_up(sim, last, place);
	else
		sift_down(sim, last, place);
}

void sim_after(struct sim *sim, struct sim_event *event, uint64_t delay_ns)
{
	assert(event->run);
	sim_event_cancel(sim, event);
	event->at_ns = delay_ns > UINT64_MAX - sim->now_ns ? UINT64_MAX : sim->now_ns + delay_ns;
	event->order = rand_u64(&sim->rand);
	sim->heap = sim_array_room(sim->heap, sim->heap_count, &sim->heap_capacity);
	sift_up(sim, event, ++sim->heap_count);
}

bool sim_step(struct sim *sim)
{
	struct sim_event *event;

	assert(!sim->stepping);
	if (!sim->heap_count)
		return false;
	event = sim->heap[0];
	assert(event->place == 1); /* else its owner has overwritten it while it waited */
	sim_event_cancel(sim, event);
	if (event->at_ns > sim->now_ns)
		sim->now_ns = event->at_ns;
	sim->stepping = true;
	event->run(event);
	sim->stepping = false;
	sim_free_ended(sim);
	return true;
}

static bool step_before(struct sim *sim, uint64_t until_ns)
{
	return sim->heap_count && sim->heap[0]->at_ns <= until_ns && sim_step(sim);
}

void sim_run_until(struct sim *sim, uint64_t until_ns)
{
	while (step_before(sim, until_ns))
		;
	if (sim->now_ns < until_ns)
		sim->now_ns = until_ns;
}

bool sim_run(struct sim *sim, uint64_t until_ns, bool (*done)(void *user), void *user)
{
	bool reached;

	while (!(reached = done(user)) && step_before(sim, until_ns))
		;
	return reached;
}

/* ---- Names ---- */

static struct sim_name *find_name(const struct sim *sim, const char *name)
{
	for (struct list *link = sim->names.next; link != &sim->names; link = link->next) {
		struct sim_name *entry = container_of(link, struct sim_name, link);

		if (strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

const struct sim_name *sim_name_find(const struct sim *sim, const char *name)
{
	return find_name(sim, name);
}

int sim_name_set(struct sim *sim, const char *name, int result, const char *addresses, uint32_t ttl_s)
{
	struct sim_name *entry = calloc(1, sizeof(*entry)), *old = find_name(sim, name);

	if (!entry)
		return -ENOMEM;
	list_init(&entry->link);
	entry->name = strdup(name);
	entry->addresses = strdup(addresses ? addresses : "");
	entry->result = result;
	entry->ttl_s = ttl_s;
	if (!entry->name || !entry->addresses) {
		free_name(entry);
		return -ENOMEM;
	}
	if (old)
		free_name(old);
	list_append(&sim->names, &entry->link);
	sim_note(sim, NULL, "name", (uint64_t)-result, sim_hash(0, entry->addresses, strlen(entry->addresses)));
	return 0;
}
