/*
 * Names in the simulated world: from its table as it stands when the answer is given, after a delay that the seed
 * draws.
 */
#include "core/resolve.h"

#include <errno.h>
#include <stdlib.h>

#include "core/sim/sim_internal.h"

struct resolver {
	struct sim_process *process;
};

struct question {
	struct list link; /* in its process */
	struct sim_event event;
	struct resolve_query *query;
	struct sim_process *process;
};

static void on_delivered(struct letter *letter)
{
	struct resolve_query *query = container_of(letter, struct resolve_query, letter);

	query->done(query);
}

static void deliver(struct resolve_query *query, int result)
{
	query->result = result;
	query->letter.open = on_delivered;
	shard_post(query->shard, &query->letter, NULL);
}

static int fill_in(struct resolve_query *query, const struct sim_name *name)
{
	struct slice rest;

	if (!name)
		return -ENOENT;
	if (name->result < 0)
		return name->result;
	rest = slice_of_string(name->addresses);
	while (rest.size > 0 && query->count < RESOLVE_ADDRESSES_MAX) {
		const char *space = memchr(rest.data, ' ', rest.size);
		size_t size = space ? (size_t)(space - rest.data) : rest.size;

		if (resolve_literal(slice_of(rest.data, size), query->port, &query->addresses[query->count]))
			query->count++;
		rest = slice_after(rest, space ? size + 1 : size);
	}
	query->ttl_s = name->ttl_s;
	return query->count > 0 ? 0 : -ENOENT;
}

static void forget(struct question *question)
{
	sim_event_cancel(question->process->host->sim, &question->event);
	list_remove(&question->link);
	free(question);
}

static void on_answered(struct sim_event *event)
{
	struct question *question = container_of(event, struct question, event);
	struct sim_process *process = question->process;
	struct resolve_query *query = question->query;
	int result = fill_in(query, sim_name_find(process->host->sim, query->name));

	forget(question);
	sim_note(process->host->sim, process->host, "resolved", (uint64_t)-result, query->count);
	sim_process_enter(process);
	deliver(query, result);
	sim_process_leave();
}

int resolver_open(struct resolver **resolver, char *why, size_t why_bytes)
{
	struct resolver *r = calloc(1, sizeof(*r));

	assert(sim_process_current());
	if (!r) {
		snprintf(why, why_bytes, "no memory for the resolver");
		return -ENOMEM;
	}
	r->process = sim_process_current();
	*resolver = r;
	return 0;
}

void resolver_close(struct resolver *resolver)
{
	if (!resolver)
		return;
	while (!list_empty(&resolver->process->queries)) {
		struct question *question = container_of(resolver->process->queries.next, struct question, link);
		struct resolve_query *query = question->query;

		forget(question);
		deliver(query, -EIO);
	}
	free(resolver);
}

void resolve_sim_kill(struct sim_process *process)
{
	while (!list_empty(&process->queries))
		forget(container_of(process->queries.next, struct question, link));
}

void resolve_start(struct resolver *resolver, struct resolve_query *query)
{
	struct sim_process *process = resolver->process;
	struct sim *sim = process->host->sim;
	struct question *question;

	query->resolver = resolver;
	if (resolve_known(query)) {
		deliver(query, 0);
		return;
	}
	question = sim_allocate(sizeof(*question));
	question->event.run = on_answered;
	question->query = query;
	question->process = process;
	list_append(&process->queries, &question->link);
	sim_after(
		sim, &question->event, sim_draw_between(sim, sim->options.resolve_min_ns, sim->options.resolve_max_ns));
}
