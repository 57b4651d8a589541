/*
 * What nobody asks for and somebody should hear of: keys that expire, secrets of before a rotation that end, workspaces
 * that spend in an hour far more than usual. Every ten seconds all of them are looked at; each is told once
 * (RECORDS_NOTICES, written before it is told, so that a restart does not tell it again), to the log and to the
 * workspace's webhook.
 */
#include "route/tenancy/tenancy_internal.h"

#include "core/clock.h"
#include "route/money/anomaly.h"
#include "store/pack.h"

#include <errno.h>
#include <stdlib.h>

enum { TOLD_AT_ONCE_MAX = 32, VALUE_BYTES = 9 };

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (24 * HOUR_NS)

/* What was told of a thing that lasts until then. Kept as long, and by id. */
struct notice {
	char id[RECORD_ID_BYTES_MAX];
	uint8_t id_bytes, stage;
	uint64_t until_ns;
};

/* On its way to the shard that calls webhooks. */
struct message {
	struct letter letter;
	struct tenancy *tenancy;
	struct gateway_shard *gateway_shard;
	struct gateway_config *config; /* whose the workspace is; a reference */
	const struct workspace_settings *workspace;
	const char *what;
	size_t body_bytes;
	char body[WEBHOOK_BODY_BYTES];
};

struct hour {
	const char *workspace; /* the configuration's */
	struct anomaly anomaly;
};

struct tenancy_watch {
	struct tenancy *tenancy;
	struct notice *notices; /* by id */
	unsigned count, capacity;
	struct hour *
		hours; /* one for each workspace of the configuration in force, found again by name when that changes */
	unsigned hour_count;
	struct gateway_config *hours_config; /* a reference */
	/* What is about to be told, once it is written; and what is over. */
	struct records_write write;
	bool writing;
	unsigned told_count, record_count;
	struct notice told[TOLD_AT_ONCE_MAX];
	struct message *messages[TOLD_AT_ONCE_MAX];
	struct record records[2 * TOLD_AT_ONCE_MAX];
	char values[TOLD_AT_ONCE_MAX][VALUE_BYTES], over[TOLD_AT_ONCE_MAX][RECORD_ID_BYTES_MAX];
};

/* ---- what was told ---- */

static int compare(const struct notice *notice, struct slice id)
{
	size_t size = notice->id_bytes < id.size ? notice->id_bytes : id.size;
	int order = memcmp(notice->id, id.data, size);

	return order ? order : (int)notice->id_bytes - (int)id.size;
}

static unsigned place_of(const struct tenancy_watch *watch, struct slice id)
{
	unsigned from = 0, to = watch->count;

	while (from < to) {
		unsigned middle = from + (to - from) / 2;

		if (compare(&watch->notices[middle], id) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static const struct notice *find(const struct tenancy_watch *watch, struct slice id)
{
	unsigned place = place_of(watch, id);

	return place < watch->count && compare(&watch->notices[place], id) == 0 ? &watch->notices[place] : NULL;
}

static bool keep(struct tenancy_watch *watch, const struct notice *notice)
{
	unsigned place = place_of(watch, slice_of(notice->id, notice->id_bytes));

	if (place < watch->count && compare(&watch->notices[place], slice_of(notice->id, notice->id_bytes)) == 0) {
		watch->notices[place] = *notice;
		return true;
	}
	if (watch->count == watch->capacity) {
		unsigned capacity = watch->capacity ? 2 * watch->capacity : 64;
		struct notice *grown = reallocarray(watch->notices, capacity, sizeof(*grown));

		if (!grown)
			return false;
		watch->notices = grown;
		watch->capacity = capacity;
	}
	memmove(&watch->notices[place + 1], &watch->notices[place], (watch->count - place) * sizeof(*notice));
	watch->notices[place] = *notice;
	watch->count++;
	return true;
}

static bool on_stored(void *context, struct slice id, struct slice value)
{
	struct unpacker u = {value.data, value.data + value.size, false};
	struct notice notice = {.until_ns = unpack_u64(&u), .id_bytes = (uint8_t)id.size};

	notice.stage = unpack_u8(&u);
	if (u.bad || id.size > sizeof(notice.id))
		return true; /* of a later version: told again at worst */
	memcpy(notice.id, id.data, id.size);
	return keep(context, &notice);
}

/* ---- telling ---- */

static void on_message(struct letter *letter)
{
	struct message *message = container_of(letter, struct message, letter);
	struct gateway_shard *gs = message->gateway_shard;
	struct log_field fields[] = {LOG_TEXT("workspace", slice_of_string(message->workspace->id)),
		LOG_TEXT("alert", slice_of(message->body, message->body_bytes))};

	if (gs->log)
		log_say(gs->log, LOG_WARN, message->what, fields, sizeof(fields) / sizeof(fields[0]));
	if (message->workspace->alert_webhook_url)
		webhook_send(&gs->webhooks, message->workspace, message->workspace->alert_webhook_url,
			slice_of(message->body, message->body_bytes), NULL, NULL);
	gateway_config_give(&message->config);
	atomic_fetch_sub(&message->tenancy->unsettled, 1);
	free(message);
}

static void drop(struct message *message)
{
	gateway_config_give(&message->config);
	free(message);
}

static void send_message(struct tenancy *tenancy, struct message *message)
{
	message->gateway_shard = atomic_load_explicit(&tenancy->gateway->shards[0], memory_order_acquire);
	if (!message->gateway_shard || atomic_load(&message->gateway_shard->drained)) {
		drop(message);
		return;
	}
	atomic_fetch_add(&tenancy->unsettled, 1);
	message->letter.open = on_message;
	shard_post(message->gateway_shard->shard, &message->letter, &tenancy->shard);
}

static void on_written(struct records_write *write)
{
	struct tenancy_watch *watch = container_of(write, struct tenancy_watch, write);

	watch->writing = false;
	for (unsigned i = 0; i < watch->told_count; i++) {
		if (write->result == 0 && keep(watch, &watch->told[i]))
			send_message(watch->tenancy, watch->messages[i]);
		else
			drop(watch->messages[i]);
	}
	watch->told_count = 0;
}

static void add_record(struct tenancy_watch *watch, struct slice id, struct slice value)
{
	watch->records[watch->record_count++] = (struct record){.table = RECORDS_NOTICES, .id = id, .value = value};
}

/* What the thing is, and what is said of it. */
struct subject {
	const struct workspace_settings *workspace;
	char kind; /* the first of its id */
	const char *id, *type, *what;
	uint64_t until_ns;
	unsigned stage;
};

static struct text begin_body(const struct tenancy_watch *watch, const struct subject *subject, struct message *message)
{
	struct tenancy *tenancy = watch->tenancy;
	struct text json = text_over(message->body, sizeof(message->body));
	struct ulid ulid = ulid_make(&tenancy->shard.rand, tenancy_wall_ns(tenancy));
	char id[ULID_TEXT_BYTES];

	ulid_print(&ulid, id);
	text_literal(&json, "{\"id\":\"alert_");
	text_add(&json, slice_of(id, sizeof(id)));
	text_literal(&json, "\",\"type\":\"");
	text_string(&json, subject->type);
	text_literal(&json, "\",\"created_at\":\"");
	text_rfc3339(&json, tenancy_wall_ns(tenancy));
	text_literal(&json, "\",\"node\":");
	text_json(&json, tenancy->gateway->node);
	text_literal(&json, ",\"workspace\":");
	text_json(&json, slice_of_string(subject->workspace->id));
	return json;
}

/* Whether it is to be told; then its body is begun, and end_notice() follows. */
static struct message *begin_notice(struct tenancy_watch *watch, const struct subject *subject, struct text *json)
{
	struct notice *notice = &watch->told[watch->told_count];
	const struct notice *before;
	struct message *message;
	size_t size = strlen(subject->id);

	if (watch->told_count == TOLD_AT_ONCE_MAX || 1 + size > sizeof(notice->id))
		return NULL;
	*notice = (struct notice){
		.until_ns = subject->until_ns, .stage = (uint8_t)subject->stage, .id_bytes = (uint8_t)(1 + size)};
	notice->id[0] = subject->kind;
	memcpy(notice->id + 1, subject->id, size);
	before = find(watch, slice_of(notice->id, notice->id_bytes));
	if (before && before->until_ns == subject->until_ns && before->stage >= subject->stage)
		return NULL;
	message = calloc(1, sizeof(*message));
	if (!message)
		return NULL;
	message->tenancy = watch->tenancy;
	message->workspace = subject->workspace;
	message->what = subject->what;
	message->config = gateway_config_borrow(watch->tenancy->config);
	*json = begin_body(watch, subject, message);
	return message;
}

static void end_notice(struct tenancy_watch *watch, struct message *message, const struct text *json)
{
	const struct notice *notice = &watch->told[watch->told_count];
	struct packer p = {watch->values[watch->told_count], watch->values[watch->told_count] + VALUE_BYTES, false};

	if (json->full) { /* names are bounded to less */
		drop(message);
		return;
	}
	message->body_bytes = json->size;
	pack_u64(&p, notice->until_ns);
	pack_u8(&p, notice->stage);
	watch->messages[watch->told_count] = message;
	add_record(
		watch, slice_of(notice->id, notice->id_bytes), slice_of(watch->values[watch->told_count], VALUE_BYTES));
	watch->told_count++;
}

/* ---- keys ---- */

/* 0: not yet; then each time it is nearer, one more. */
static unsigned stage_of(uint64_t until_ns, uint64_t now_ns)
{
	static const uint64_t stages[] = {7 * DAY_NS, DAY_NS};
	unsigned stage = 0;

	while (stage < sizeof(stages) / sizeof(stages[0]) && until_ns > now_ns && until_ns - now_ns <= stages[stage])
		stage++;
	return stage;
}

static const struct workspace_settings *workspace_of(const struct settings *settings, const struct key_settings *key)
{
	for (unsigned i = 0; i < settings->workspace_count; i++)
		if (strcmp(settings->workspaces[i].id, key->workspace) == 0)
			return &settings->workspaces[i];
	return NULL;
}

static void look_at_end(
	struct tenancy_watch *watch, const struct key_settings *key, struct subject *subject, const char *member)
{
	struct message *message;
	struct text json;

	subject->stage = stage_of(subject->until_ns, tenancy_wall_ns(watch->tenancy));
	if (subject->stage == 0)
		return;
	subject->workspace = workspace_of(watch->tenancy->config->settings, key);
	message = subject->workspace ? begin_notice(watch, subject, &json) : NULL;
	if (!message)
		return;
	text_literal(&json, ",\"key_id\":");
	text_json(&json, slice_of_string(key->id));
	text_literal(&json, ",\"key_name\":");
	text_json_or_null(&json, slice_of_string(key->name));
	text_literal(&json, ",\"");
	text_string(&json, member);
	text_literal(&json, "\":\"");
	text_rfc3339(&json, subject->until_ns);
	text_literal(&json, "\"}");
	end_notice(watch, message, &json);
}

static void look_at_key(struct tenancy_watch *watch, const struct key_settings *key)
{
	struct subject expiry = {.kind = 'k',
		.id = key->id,
		.type = "key.expiring",
		.what = "an API key expires soon",
		.until_ns = key->expires_at_ns};
	struct subject secret = {.kind = 's',
		.id = key->id,
		.type = "key.secret_expiring",
		.what = "the secret of an API key before its rotation ends soon",
		.until_ns = key->previous_until_ns};

	if (key->disabled || key->revoked_at_ns)
		return;
	look_at_end(watch, key, &expiry, "expires_at");
	look_at_end(watch, key, &secret, "previous_secret_until");
}

/* ---- hours ---- */

static const struct anomaly *anomaly_of(const struct tenancy_watch *watch, const char *workspace)
{
	for (unsigned i = 0; i < watch->hour_count; i++)
		if (strcmp(watch->hours[i].workspace, workspace) == 0)
			return &watch->hours[i].anomaly;
	return NULL;
}

/* For the workspaces that there are now. */
static bool follow_config(struct tenancy_watch *watch)
{
	struct gateway_config *config = watch->tenancy->config;
	const struct settings *settings = config->settings;
	struct hour *hours;

	if (watch->hours_config == config)
		return true;
	hours = calloc(settings->workspace_count + 1, sizeof(*hours));
	if (!hours)
		return false;
	for (unsigned i = 0; i < settings->workspace_count; i++) {
		const struct anomaly *before = anomaly_of(watch, settings->workspaces[i].id);

		hours[i].workspace = settings->workspaces[i].id;
		if (before)
			hours[i].anomaly = *before;
	}
	free(watch->hours);
	watch->hours = hours;
	watch->hour_count = settings->workspace_count;
	if (watch->hours_config)
		gateway_config_give(&watch->hours_config);
	watch->hours_config = gateway_config_borrow(config);
	return true;
}

static void learn_usual(struct tenancy_watch *watch, const char *workspace, uint32_t day, struct anomaly *anomaly)
{
	int64_t days_nusd[ANOMALY_DAYS];

	if (anomaly->usual_day == day)
		return;
	for (uint32_t i = 0; i < ANOMALY_DAYS; i++)
		days_nusd[i] = store_spend_nusd(watch->tenancy->gateway->store, COUNTER_WORKSPACE,
			slice_of_string(workspace), SLICE(""), day - 1 - i, day - 1 - i);
	anomaly->usual_nusd = anomaly_usual_nusd(days_nusd);
	anomaly->usual_day = day;
}

static void tell_hour(struct tenancy_watch *watch, const struct workspace_settings *workspace,
	const struct anomaly *anomaly, int64_t spent_nusd)
{
	const struct subject subject = {.kind = 'h',
		.id = workspace->id,
		.type = "spend.anomaly",
		.what = "a workspace spends far more than usual",
		.workspace = workspace,
		.until_ns = (anomaly->hour + UINT64_C(1)) * HOUR_NS,
		.stage = 1};
	struct text json;
	struct message *message = begin_notice(watch, &subject, &json);

	if (!message)
		return;
	text_literal(&json, ",\"hour_begins\":\"");
	text_rfc3339(&json, anomaly->hour * HOUR_NS);
	text_literal(&json, "\",\"spent_usd\":");
	text_usd(&json, spent_nusd);
	text_literal(&json, ",\"usual_usd\":");
	text_usd(&json, anomaly->usual_nusd);
	text_literal(&json, "}");
	end_notice(watch, message, &json);
}

static void look_at_hours(struct tenancy_watch *watch, uint64_t now_ns)
{
	const struct settings *settings = watch->tenancy->config->settings;

	for (unsigned i = 0; i < watch->hour_count; i++) {
		struct anomaly *anomaly = &watch->hours[i].anomaly;
		int64_t spent_nusd, total_nusd = store_total_nusd(watch->tenancy->gateway->store, COUNTER_WORKSPACE,
					    slice_of_string(settings->workspaces[i].id), SLICE(""));

		learn_usual(watch, settings->workspaces[i].id, (uint32_t)(now_ns / DAY_NS), anomaly);
		if (anomaly_look(anomaly, (uint32_t)(now_ns / HOUR_NS), total_nusd, &spent_nusd))
			tell_hour(watch, &settings->workspaces[i], anomaly, spent_nusd);
	}
}

/* ---- the look ---- */

static void forget_over(struct tenancy_watch *watch, uint64_t now_ns)
{
	unsigned kept = 0, over = 0;

	for (unsigned i = 0; i < watch->count; i++) {
		struct notice *notice = &watch->notices[i];

		if (notice->until_ns > now_ns || over == TOLD_AT_ONCE_MAX) {
			watch->notices[kept++] = *notice;
			continue;
		}
		memcpy(watch->over[over], notice->id, notice->id_bytes);
		add_record(watch, slice_of(watch->over[over++], notice->id_bytes), slice_of(NULL, 0));
	}
	watch->count = kept;
}

void tenancy_watch_look(struct tenancy *tenancy)
{
	struct tenancy_watch *watch = tenancy->watch;
	const struct settings *settings = tenancy->config->settings;
	uint64_t now_ns = tenancy_wall_ns(tenancy);

	if (watch->writing || !follow_config(watch))
		return;
	watch->record_count = watch->told_count = 0;
	forget_over(watch, now_ns);
	for (unsigned i = 0; i < settings->key_count; i++)
		look_at_key(watch, &settings->keys[i]);
	look_at_hours(watch, now_ns);
	if (watch->record_count == 0)
		return;
	watch->writing = true;
	watch->write = (struct records_write){
		.shard = &tenancy->shard, .done = on_written, .records = watch->records, .count = watch->record_count};
	records_write_start(tenancy->gateway->store, &watch->write);
}

int tenancy_watch_open(struct tenancy *tenancy)
{
	struct tenancy_watch *watch = calloc(1, sizeof(*watch));

	tenancy->watch = watch;
	if (!watch)
		return -ENOMEM;
	watch->tenancy = tenancy;
	return records_read(tenancy->gateway->store, RECORDS_NOTICES, slice_of(NULL, 0), false, on_stored, watch);
}

void tenancy_watch_close(struct tenancy *tenancy)
{
	struct tenancy_watch *watch = tenancy->watch;

	if (!watch)
		return;
	for (unsigned i = 0; i < watch->told_count; i++) /* written, perhaps, and not told */
		drop(watch->messages[i]);
	if (watch->hours_config)
		gateway_config_give(&watch->hours_config);
	free(watch->hours);
	free(watch->notices);
	free(watch);
}
