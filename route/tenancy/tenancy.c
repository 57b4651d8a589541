/* The tenancy's thread: questions in their order, a change's way to the store and to every shard. See tenancy.h. */
#include "route/tenancy/tenancy_internal.h"

#include "core/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* A ring that carries wake-ups alone. */
	RING_ENTRIES = 64,
	RING_BUFFERS = 2,
	RING_BUFFER_BYTES = 256,
	JSON_BYTES_MAX = 4 << 20, /* of a row, which is the larger */
};
#define PRUNE_NS (3600 * NS_PER_S)
#define WATCH_NS (10 * NS_PER_S)

struct reload_letter {
	struct letter letter;
	struct tenancy *tenancy;
	struct gateway_config *base;
	struct list link;
};

static void work_off(struct tenancy *tenancy);

void tenancy_answer(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	shard_post(ask->shard, &ask->letter, &tenancy->shard);
}

/* ---- a change: on its way ---- */

static void swap_in(struct tenancy_change *change, struct tenant_tables *tables, int *rc)
{
	*rc = 0;
	if (change->before || change->after)
		*rc = tenant_tables_swap(tables, change->kind, change->before, change->after);
	if (*rc == 0 && change->has_override)
		*rc = tenant_tables_set_override(tables, &change->override);
	if (*rc == 0 && change->has_routing)
		tables->routing = change->routing_after;
}

static void swap_back(struct tenancy_change *change, struct tenant_tables *tables)
{
	int rc = 0;

	if (change->before || change->after)
		rc = tenant_tables_swap(tables, change->kind, change->after, change->before);
	assert(rc == 0); /* there is room where something was */
	if (change->has_routing)
		tables->routing = change->routing_before;
	if (change->has_override && change->had_override)
		tenant_tables_set_override(tables, &change->was);
	else if (change->has_override)
		tenant_tables_drop_override(tables, slice_of_string(change->override.id));
}

void tenancy_drop_records(struct tenancy_change *change)
{
	for (unsigned i = 0; i < change->record_count; i++) {
		if (change->memory[i])
			explicit_bzero(change->memory[i], change->records[i].value.size);
		free(change->memory[i]);
	}
	memset(change, 0, sizeof(*change));
}

/* All of a change but what went over to the tables. */
static void forget(struct tenancy *tenancy)
{
	struct tenancy_change *change = &tenancy->change;

	gateway_config_give(&change->config);
	gateway_config_give(&change->base);
	tenancy_drop_records(change);
	tenancy->busy = false;
}

static void undo(struct tenancy *tenancy)
{
	struct tenancy_change *change = &tenancy->change;

	swap_back(change, &tenancy->tables);
	tenant_give(&change->after);
	stored_routing_give(&change->routing_after);
}

static void finish(struct tenancy *tenancy)
{
	struct tenancy_change *change = &tenancy->change;
	struct tenancy_ask *ask = change->ask;
	bool reload = change->base != NULL;

	if (change->result < 0 && ask)
		tenancy_refuse(ask, 503, SLICE("not_everywhere"), NULL,
			"The change is stored, but the gateway ran out of memory while it was put in force. Try it "
			"again.");
	tenant_give(&change->before);
	stored_routing_give(&change->routing_before);
	forget(tenancy);
	if (reload)
		atomic_fetch_sub(&tenancy->unsettled, 1);
	if (ask)
		tenancy_answer(tenancy, ask);
	work_off(tenancy);
}

static void on_spread_back(struct letter *letter)
{
	struct tenancy_spread *spread = container_of(letter, struct tenancy_spread, letter);
	struct tenancy *tenancy = spread->tenancy;

	if (spread->result < 0)
		tenancy->change.result = spread->result;
	if (--tenancy->spreading == 0)
		finish(tenancy);
}

static void on_spread(struct letter *letter)
{
	struct tenancy_spread *spread = container_of(letter, struct tenancy_spread, letter);
	struct gateway_shard *gs = spread->gateway_shard;

	spread->result = gateway_shard_configure(gs, spread->tenancy->config, spread->spare);
	spread->spare = NULL;
	letter->open = on_spread_back;
	shard_post(&spread->tenancy->shard, letter, gs->shard);
}

/* From here on nothing can be refused: new requests see the change. Shards read `config` until their letters are back.
 */
static void spread(struct tenancy *tenancy)
{
	struct tenancy_change *change = &tenancy->change;
	struct gateway_config *old = tenancy->config;

	tenancy->config = change->config;
	change->config = old; /* given when it is over */
	if (change->base) {
		struct gateway_config *old_base = tenancy->base;

		tenancy->base = change->base;
		change->base = old_base;
	}
	tenancy->spreading = tenancy->gateway->shard_count;
	for (unsigned i = 0; i < tenancy->gateway->shard_count; i++) {
		struct tenancy_spread *one = &tenancy->spreads[i];

		one->gateway_shard = atomic_load(&tenancy->gateway->shards[i]);
		assert(one->gateway_shard); /* all have started, and none closes before this thread has ended */
		one->letter.open = on_spread;
		shard_post(one->gateway_shard->shard, &one->letter, &tenancy->shard);
	}
}

static void on_written(struct records_write *write)
{
	struct tenancy *tenancy = container_of(write, struct tenancy, write);
	struct tenancy_ask *ask = tenancy->change.ask;

	if (write->result == 0 && !tenancy->change.note) {
		spread(tenancy);
		return;
	}
	if (write->result == 0) {
		finish(tenancy);
		return;
	}
	if (!tenancy->change.note)
		undo(tenancy);
	forget(tenancy);
	tenancy_refuse(ask, 503, SLICE("store_not_writable"), NULL,
		"The gateway cannot store the change at the moment; nothing was changed. Try again in a moment.");
	tenancy_answer(tenancy, ask);
	work_off(tenancy);
}

void tenancy_write(struct tenancy *tenancy)
{
	tenancy->busy = true;
	tenancy->write = (struct records_write){.shard = &tenancy->shard,
		.done = on_written,
		.records = tenancy->change.records,
		.count = tenancy->change.record_count};
	records_write_start(tenancy->gateway->store, &tenancy->write);
}

static bool take_spares(struct tenancy *tenancy)
{
	bool good = true;

	for (unsigned i = 0; i < tenancy->gateway->shard_count; i++) {
		if (!tenancy->spreads[i].spare)
			tenancy->spreads[i].spare = calloc(1, sizeof(struct shard_config));
		good = good && tenancy->spreads[i].spare;
	}
	return good;
}

bool tenancy_begin(struct tenancy *tenancy)
{
	struct tenancy_change *change = &tenancy->change;
	int rc;

	assert(!tenancy->busy);
	tenancy->busy = true;
	swap_in(change, &tenancy->tables, &rc);
	if (rc < 0) {
		assert(!change->has_routing); /* which takes no memory */
		tenant_give(&change->after);
		forget(tenancy);
		return false;
	}
	change->config = tenancy_make_config(tenancy, change->base ? change->base : tenancy->base);
	if (!change->config || !take_spares(tenancy)) {
		undo(tenancy);
		forget(tenancy);
		return false;
	}
	if (change->record_count)
		tenancy_write(tenancy);
	else
		spread(tenancy);
	return true;
}

bool tenancy_add_record(struct tenancy_change *change, enum record_table table, struct slice id, struct text *value)
{
	unsigned i = change->record_count;

	assert(i < CHANGE_RECORDS && id.size <= RECORD_ID_BYTES_MAX);
	if (value && (!value->data || value->full))
		return false;
	memcpy(change->record_ids[i], id.data, id.size);
	change->memory[i] = value ? value->data : NULL;
	change->records[i] = (struct record){.table = table,
		.id = slice_of(change->record_ids[i], id.size),
		.value = value ? text_slice(value) : slice_of(NULL, 0)};
	change->record_count++;
	return true;
}

bool tenancy_add_sealed(struct tenancy_change *change, const char *owner, struct slice id, struct slice value)
{
	struct text text = text_over(value.data ? malloc(value.size + 1) : NULL, value.size);

	if (text.data)
		text_add(&text, value);
	if ((value.data && !text.data) ||
		!tenancy_add_record(change, RECORDS_CONNECTIONS, id, value.data ? &text : NULL))
		return false;
	change->records[change->record_count - 1].owner = slice_of_string(owner);
	return true;
}

/* ---- questions and reloads, one after the other ---- */

static void begin_reload(struct tenancy *tenancy, struct reload_letter *reload)
{
	tenancy->change.base = reload->base;
	if (!tenancy_begin(tenancy))
		atomic_fetch_sub(&tenancy->unsettled, 1); /* the old one stays */
	free(reload);
}

static void work_off(struct tenancy *tenancy)
{
	while (!tenancy->busy && !list_empty(&tenancy->reloads)) {
		struct list *first = tenancy->reloads.next;

		list_remove(first);
		begin_reload(tenancy, container_of(first, struct reload_letter, link));
	}
	while (!tenancy->busy && !list_empty(&tenancy->asks)) {
		struct list *first = tenancy->asks.next;

		list_remove(first);
		tenancy_work(tenancy, container_of(first, struct tenancy_ask, link));
	}
}

static void on_ask_back(struct letter *letter)
{
	struct tenancy_ask *ask = container_of(letter, struct tenancy_ask, letter);

	ask->done(ask);
}

static void on_ask(struct letter *letter)
{
	struct tenancy_ask *ask = container_of(letter, struct tenancy_ask, letter);
	struct tenancy *tenancy = ask->tenancy;

	letter->open = on_ask_back;
	list_init(&ask->link);
	if (atomic_load(&tenancy->shards_started) < tenancy->gateway->shard_count) {
		tenancy_refuse(
			ask, 503, SLICE("starting"), NULL, "The gateway is still starting. Try again in a moment.");
		tenancy_answer(tenancy, ask);
		return;
	}
	list_append(&tenancy->asks, &ask->link);
	work_off(tenancy);
}

void tenancy_ask_start(struct tenancy *tenancy, struct tenancy_ask *ask)
{
	ask->tenancy = tenancy;
	ask->answer = NULL;
	ask->answer_bytes = 0;
	ask->param[0] = '\0';
	ask->letter.open = on_ask;
	shard_post(&tenancy->shard, &ask->letter, ask->shard);
}

static void on_reload(struct letter *letter)
{
	struct reload_letter *reload = container_of(letter, struct reload_letter, letter);
	struct tenancy *tenancy = reload->tenancy;

	list_init(&reload->link);
	list_append(&tenancy->reloads, &reload->link);
	work_off(tenancy);
}

int tenancy_reload(struct tenancy *tenancy, struct gateway_config *base)
{
	struct reload_letter *reload = calloc(1, sizeof(*reload));

	if (!reload)
		return -ENOMEM;
	reload->tenancy = tenancy;
	reload->base = base;
	reload->letter.open = on_reload;
	atomic_fetch_add(&tenancy->unsettled, 1);
	shard_post(&tenancy->shard, &reload->letter, NULL);
	return 0;
}

bool tenancy_settled(const struct tenancy *tenancy)
{
	return atomic_load(&tenancy->unsettled) == 0;
}

struct gateway_config *tenancy_config(const struct tenancy *tenancy)
{
	return tenancy->config;
}

void tenancy_shard_started(struct tenancy *tenancy)
{
	atomic_fetch_add(&tenancy->shards_started, 1);
}

/* ---- opening and closing ---- */

static void on_prune_timer(struct timer *timer)
{
	struct tenancy *tenancy = container_of(timer, struct tenancy, prune_timer);

	tenancy_prune(tenancy);
	tenancy_expire_receipts(tenancy);
	timer_arm(&tenancy->shard.timers, timer, shard_now_ns(&tenancy->shard) + PRUNE_NS);
}

static void on_watch_timer(struct timer *timer)
{
	struct tenancy *tenancy = container_of(timer, struct tenancy, watch_timer);

	tenancy_watch_look(tenancy);
	timer_arm(&tenancy->shard.timers, timer, shard_now_ns(&tenancy->shard) + WATCH_NS);
}

static void on_start(struct shard *shard)
{
	struct tenancy *tenancy = container_of(shard, struct tenancy, shard);

	timer_arm(&shard->timers, &tenancy->prune_timer, shard_now_ns(shard) + NS_PER_S);
	timer_arm(&shard->timers, &tenancy->watch_timer, shard_now_ns(shard) + NS_PER_S);
}

static int open_parts(struct tenancy *tenancy, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "out of memory");
	tenancy->json = json_parser_open(JSON_BYTES_MAX);
	tenancy->spreads = calloc(tenancy->gateway->shard_count, sizeof(*tenancy->spreads));
	if (!tenancy->json || !tenancy->spreads)
		return -ENOMEM;
	for (unsigned i = 0; i < tenancy->gateway->shard_count; i++)
		tenancy->spreads[i].tenancy = tenancy;
	if (tenancy_watch_open(tenancy) < 0) {
		snprintf(why, why_bytes, "the store cannot be read");
		return -EIO;
	}
	return tenant_tables_load(&tenancy->tables, tenancy->gateway->store, tenancy->json, why, why_bytes);
}

int tenancy_open(struct tenancy **tenancy, const struct tenancy_options *options, char *why, size_t why_bytes)
{
	struct tenancy *made = calloc(1, sizeof(*made));
	struct shard_options shard = {.name = "tenancy",
		.cpu = -1,
		.ring = {.entry_count = RING_ENTRIES,
			.buffer_count = RING_BUFFERS,
			.buffer_bytes = RING_BUFFER_BYTES,
			.without = options->ring_without},
		.on_start = on_start};
	int rc;

	*tenancy = made;
	snprintf(why, why_bytes, "out of memory");
	if (!made)
		return -ENOMEM;
	made->gateway = options->gateway;
	made->bind = options->bind;
	made->bind_context = options->context;
	list_init(&made->asks);
	list_init(&made->reloads);
	timer_init(&made->prune_timer, on_prune_timer);
	timer_init(&made->watch_timer, on_watch_timer);
	made->base = gateway_config_borrow(options->base);
	rc = open_parts(made, why, why_bytes);
	if (rc < 0)
		return rc;
	snprintf(why, why_bytes, "out of memory");
	made->config = tenancy_make_config(made, made->base);
	if (!made->config)
		return -ENOMEM;
	rand_system(&shard.seed, sizeof(shard.seed));
	rc = shard_open(&made->shard, &shard, why, why_bytes);
	if (rc < 0)
		return rc;
	made->running = true;
	rc = shard_start(&made->shard);
	if (rc < 0)
		snprintf(why, why_bytes, "cannot start the tenancy's thread: %s", strerror(-rc));
	return rc;
}

void tenancy_stop(struct tenancy *tenancy)
{
	if (!tenancy->running || !tenancy->shard.running)
		return;
	shard_stop(&tenancy->shard);
	shard_join(&tenancy->shard);
}

void tenancy_close(struct tenancy *tenancy)
{
	if (!tenancy)
		return;
	assert(list_empty(&tenancy->asks));
	if (tenancy->running)
		shard_close(&tenancy->shard);
	for (unsigned i = 0; tenancy->spreads && i < tenancy->gateway->shard_count; i++)
		free(tenancy->spreads[i].spare);
	free(tenancy->spreads);
	free(tenancy->pruned);
	free(tenancy->pruned_ids);
	free(tenancy->retention_rules.list);
	gateway_config_give(&tenancy->retention_config);
	tenancy_watch_close(tenancy);
	tenant_tables_fini(&tenancy->tables);
	gateway_config_give(&tenancy->config);
	gateway_config_give(&tenancy->base);
	if (tenancy->json)
		json_parser_close(tenancy->json);
	free(tenancy);
}
