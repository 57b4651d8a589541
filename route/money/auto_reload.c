/* From a low balance to a transaction: see auto_reload.h. */
#include "route/money/auto_reload.h"

#include "core/clock.h"
#include "route/gateway/gateway_shard.h"

#include <stdlib.h>

enum { REFERENCE_BYTES = 64, WORKSPACE_BYTES = 128 };
#define REFUSED_PAUSE_NS (60 * NS_PER_S) /* after a webhook that did not say yes */

struct reload {
	struct webhook_shard *own;
	struct balance_meter *balance;
	struct ledger_post post;
	size_t workspace_bytes, reference_bytes;
	char workspace[WORKSPACE_BYTES], reference[REFERENCE_BYTES];
};

static void end(struct reload *reload, uint64_t pause_ns)
{
	struct shard *shard = reload->own->gateway_shard->shard;

	reload->balance->reloading = false;
	reload->balance->reload_after_ns = shard_now_ns(shard) + pause_ns;
	free(reload);
}

static void say(const struct reload *reload, enum log_level level, const char *what)
{
	struct log_writer *log = reload->own->gateway_shard->log;
	struct log_field fields[] = {LOG_TEXT("workspace", slice_of(reload->workspace, reload->workspace_bytes)),
		LOG_TEXT("reference", slice_of(reload->reference, reload->reference_bytes)),
		LOG_INT("amount_nusd", reload->post.amount_nusd)};

	if (log)
		log_say(log, level, what, fields, sizeof(fields) / sizeof(fields[0]));
}

static void posted(struct ledger_post *post)
{
	struct reload *reload = container_of(post, struct reload, post);

	reload->own->storing--;
	if (post->result < 0) {
		say(reload, LOG_ERROR, "a balance was charged for and could not be credited: it is asked for again");
		end(reload, REFUSED_PAUSE_NS);
		return;
	}
	balance_credit(reload->balance, post->state.number, post->state.credit_nusd);
	say(reload, LOG_INFO, "a balance was reloaded");
	end(reload, 0);
}

static void asked(struct webhook_shard *own, void *context, bool taken)
{
	struct reload *reload = context;

	if (!taken) {
		say(reload, LOG_WARN, "a balance is low, and its reload was not approved");
		end(reload, REFUSED_PAUSE_NS);
		return;
	}
	reload->post.shard = own->gateway_shard->shard;
	reload->post.done = posted;
	reload->post.workspace = slice_of(reload->workspace, reload->workspace_bytes);
	reload->post.reference = slice_of(reload->reference, reload->reference_bytes);
	reload->post.kind = LEDGER_AUTO_RELOAD;
	reload->post.wall_ns = shard_wall_ns(own->gateway_shard->shard);
	own->storing++;
	ledger_post_start(own->gateway_shard->gateway->store, &reload->post);
}

static struct reload *make(
	struct webhook_shard *own, const struct workspace_settings *workspace, struct balance_meter *balance)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	struct text reference;

	if (!reload)
		return NULL;
	reload->own = own;
	reload->balance = balance;
	reload->post.amount_nusd = workspace->auto_reload_amount_nusd;
	reload->workspace_bytes = strlen(workspace->id);
	memcpy(reload->workspace, workspace->id, reload->workspace_bytes);
	reference = text_over(reload->reference, sizeof(reload->reference));
	text_literal(&reference, "auto_reload_");
	text_u64(&reference, balance->number + 1);
	reload->reference_bytes = reference.size;
	return reload;
}

static void print_body(const struct reload *reload, const struct workspace_settings *workspace, struct text *json)
{
	const struct gateway_shard *gs = reload->own->gateway_shard;

	text_literal(json, "{\"id\":");
	text_json(json, slice_of(reload->reference, reload->reference_bytes));
	text_literal(json, ",\"type\":\"balance.reload\",\"created_at\":\"");
	text_rfc3339(json, shard_wall_ns(gs->shard));
	text_literal(json, "\",\"workspace\":");
	text_json(json, slice_of_string(workspace->id));
	text_literal(json, ",\"amount_usd\":");
	text_usd(json, workspace->auto_reload_amount_nusd);
	text_literal(json, ",\"balance_usd\":");
	text_usd(json, reload->balance->credit_nusd - reload->balance->used_nusd);
	text_literal(json, ",\"threshold_usd\":");
	text_usd(json, workspace->auto_reload_threshold_nusd);
	text_literal(json, "}");
}

static bool is_low(const struct workspace_settings *workspace, const struct balance_meter *balance)
{
	return workspace->auto_reload_webhook_url && workspace->auto_reload_threshold_nusd >= 0 &&
	       workspace->auto_reload_amount_nusd > 0 && strlen(workspace->id) <= WORKSPACE_BYTES &&
	       balance->credit_nusd - balance->used_nusd < workspace->auto_reload_threshold_nusd;
}

void auto_reload_look(
	struct webhook_shard *own, const struct workspace_settings *workspace, struct balance_meter *balance)
{
	char memory[WEBHOOK_BODY_BYTES];
	struct text body = text_over(memory, sizeof(memory));
	struct reload *reload;

	if (balance->reloading || !is_low(workspace, balance) ||
		shard_now_ns(own->gateway_shard->shard) < balance->reload_after_ns)
		return;
	reload = make(own, workspace, balance);
	if (!reload)
		return;
	balance->reloading = true;
	print_body(reload, workspace, &body);
	if (body.full ||
		!webhook_send(own, workspace, workspace->auto_reload_webhook_url, text_slice(&body), asked, reload))
		end(reload, REFUSED_PAUSE_NS);
}
