/*
 * Outcomes of calls, from the shards that made them to the one that decides on a deployment's share of failures: with
 * many shards each sees too few of them for a share to mean anything. What has gathered goes every 50 ms, in a letter
 * that is part of the deployment's state; one that is not back yet is no loss, since what is new waits for the next
 * time.
 */
#include "route/fleet/fleet.h"

#include "route/gateway/gateway.h"
#include "route/gateway/gateway_shard.h"

#define REPORT_EVERY_NS (UINT64_C(50) * 1000000)

/* In the owner's thread. */
static void report_opened(struct letter *letter)
{
	struct fleet_report *report = container_of(letter, struct fleet_report, letter);
	struct gateway_shard *owner = atomic_load(&report->gateway->shards[report->deployment->owner]);

	if (owner)
		fleet_hear_outcomes(report, &owner->config->config->fleet->rules, owner->shard);
	atomic_store_explicit(&report->away, false, memory_order_release);
}

static void send_report(struct fleet_report *report, struct shard *from)
{
	struct gateway_shard *owner = atomic_load(&report->gateway->shards[report->deployment->owner]);

	if (!owner)
		return;
	report->samples = report->new_samples;
	report->failures = report->new_failures;
	report->new_samples = report->new_failures = 0;
	report->letter.open = report_opened;
	atomic_store_explicit(&report->away, true, memory_order_relaxed);
	shard_post(owner->shard, &report->letter, from);
}

static void list_report(struct fleet_reporter *reporter, struct fleet_report *report)
{
	report->next = reporter->first;
	report->listed = true;
	reporter->first = report;
	if (!timer_armed(&reporter->timer))
		timer_arm(&reporter->shard->timers, &reporter->timer, shard_now_ns(reporter->shard) + REPORT_EVERY_NS);
}

static void time_to_report(struct timer *timer)
{
	struct fleet_reporter *reporter = container_of(timer, struct fleet_reporter, timer);
	struct fleet_report *report = reporter->first, *next;

	reporter->first = NULL;
	for (; report; report = next) {
		next = report->next;
		report->listed = false;
		if (!report->new_samples)
			continue;
		if (atomic_load_explicit(&report->away, memory_order_acquire))
			list_report(reporter, report);
		else
			send_report(report, reporter->shard);
	}
}

void fleet_reporter_init(struct fleet_reporter *reporter, struct shard *shard)
{
	reporter->first = NULL;
	reporter->shard = shard;
	timer_init(&reporter->timer, time_to_report);
}

void fleet_reporter_close(struct fleet_reporter *reporter)
{
	timer_disarm(&reporter->shard->timers, &reporter->timer);
}

void fleet_report_outcome(struct fleet_deployment *d, bool failed, struct gateway *gateway, struct shard *shard)
{
	struct deployment_state *s = &d->states[shard->index];
	struct fleet_report *report = &s->report;
	struct gateway_shard *gs;

	if (d->owner == shard->index || s->breaker.state != BREAKER_CLOSED)
		return;
	gs = atomic_load_explicit(&gateway->shards[shard->index], memory_order_relaxed);
	if (!gs)
		return;
	report->deployment = d;
	report->gateway = gateway;
	report->new_samples++;
	report->new_failures += failed;
	if (!report->listed)
		list_report(&gs->reporter, report);
}
