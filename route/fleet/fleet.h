/*
 * What the gateway knows of the deployments that it calls: a deployment is one provider, credential and upstream model,
 * a name of three parts. Each shard has a state of its own for each: its breaker, its times, its calls; what concerns
 * all (a breaker that opened, a credential that has to cool) is told to the other shards by letters. Outcomes are told
 * to one shard, the deployment's owner, which decides on the share of failures for all. A deployment is
 * kept until the gateway ends, over reloads: counts stay, and whoever reads them finds them.
 *
 * Views are made by the control thread and by the tenancy's, under the fleet's lock; a view belongs to a configuration
 * and is read-only; a shard's states are that shard's, but for what is shown.
 */
#ifndef ROUTE_FLEET_H
#define ROUTE_FLEET_H

#include "core/metrics.h"
#include "core/shard.h"
#include "route/fleet/balance.h"
#include "route/fleet/breaker.h"
#include "route/fleet/hedge.h"
#include "route/dialects/dialect.h"
#include "route/fleet/pool_limit.h"
#include "route/fleet/rate_room.h"
#include "route/fleet/retry_budget.h"
#include "route/settings/settings.h"

struct gateway;
struct fleet;

/* One's own servers find their own limit: each shard adds what it sees, one of them takes a step a second. */
struct fleet_pool {
	_Atomic uint64_t took_ns[BALANCE_KINDS]; /* since the last step */
	_Atomic uint32_t count[BALANCE_KINDS];
	_Atomic uint64_t step_at_ns;
	atomic_bool stepping; /* who has set it owns `limit` */
	struct pool_limit limit;
	_Atomic uint32_t calls_max; /* in force; 0: the configured bound */
};

struct fleet_provider {
	struct fleet_provider *next;
	_Atomic uint32_t in_flight; /* of all shards; counted where the provider has a bound */
	struct fleet_pool pool;
	char name[];
};

struct credential_state {
	uint64_t cooling_until_ns;     /* it was told to wait */
	uint64_t rejected_until_ns;    /* it was not accepted */
	uint32_t coolings, rejections; /* in a row */
	metric shown_cooling_until_ns, shown_rejected_until_ns;
};

struct fleet_credential {
	struct fleet_credential *next;
	struct credential_state *states; /* by the shard's index */
	char name[];                     /* provider/credential */
};

/* Outcomes on one shard, on their way to the deployment's owner: fleet_report.c. */
struct fleet_report {
	struct letter letter;
	struct fleet_report *next; /* of those that the shard has to send */
	bool listed;
	atomic_bool away; /* the letter is; what it says is the owner's until it has read it */
	struct fleet_deployment *deployment;
	struct gateway *gateway;
	uint32_t samples, failures;         /* in the letter */
	uint32_t new_samples, new_failures; /* since */
};

struct deployment_state {
	struct breaker breaker;
	struct fleet_report report;
	struct rate_room room;
	struct peak_ewma ewma[BALANCE_KINDS][BALANCE_CLASSES];
	struct hedge_times times[BALANCE_KINDS][HEDGE_CLASSES];
	uint64_t forbidden_until_ns; /* its credential may not use this model */
	uint32_t forbidden, in_flight;
	bool unsampled; /* it was learnt that the model there takes no sampling */
	metric shown_breaker, shown_in_flight, shown_ewma_ns[BALANCE_KINDS], attempts, failures, openings;
};

struct fleet_deployment {
	struct fleet_deployment *next;
	struct fleet_provider *provider;
	struct fleet_credential *credential;
	struct deployment_state *states; /* by the shard's index */
	atomic_bool disabled;            /* by an operator */
	unsigned owner;                  /* the shard that hears of all outcomes */
	char name[];                     /* provider/credential/model */
};

/* One way to serve a model. */
struct fleet_option {
	const struct deployment_settings *deployment;
	const struct provider_settings *provider;
	const struct credential_settings *credential; /* NULL: none needed */
	struct fleet_deployment *of;
	uint64_t weight;
	uint32_t calls_max; /* of the provider at once; 0: no bound */
	bool filled_first;  /* of one's own hardware, which is paid for anyway */
};

/* Calls that the option's provider is given at once, as far as it is known to serve them; 0: no bound. */
static inline uint32_t fleet_calls_max(const struct fleet_option *option)
{
	const _Atomic uint32_t *learnt = &option->of->provider->pool.calls_max;
	uint32_t calls = option->filled_first ? atomic_load_explicit(learnt, memory_order_relaxed) : 0;

	return calls && calls < option->calls_max ? calls : option->calls_max;
}

/* The deployments of one configuration. */
struct fleet_view {
	const struct settings *settings;
	struct breaker_rules rules;       /* of a deployment's owner */
	struct breaker_rules rules_apart; /* of other shards: failures in a row alone */
	unsigned option_count, deployment_count;
	struct fleet_option *options;          /* model by model, as declared */
	unsigned *first_option;                /* by the model's index, and one behind the last */
	struct fleet_deployment **deployments; /* each once */
	struct retry_budget *budgets;          /* of each shard, by the model's index */
	struct hedge_share *hedges;            /* likewise */
};

int fleet_open(struct fleet **fleet, unsigned shard_count);
void fleet_close(struct fleet *fleet);

/* Takes a deployment out of use that may come with any configuration, before the first shard starts. 0 or -ENOMEM. */
int fleet_disable(struct fleet *fleet, struct slice name);

/* A deployment's name, of any length, as the id of a record: hexadecimal. */
enum { FLEET_ID_BYTES = 32 };
void fleet_deployment_id(const char *name, char id[static FLEET_ID_BYTES]);

/* NULL when memory is out. `settings` outlive the view. */
struct fleet_view *fleet_view_make(struct fleet *fleet, const struct settings *settings);
void fleet_view_free(struct fleet_view *view);

/* NULL: this configuration has none of that name. */
struct fleet_deployment *fleet_view_find(const struct fleet_view *view, struct slice name);

static inline unsigned fleet_model_index(const struct fleet_view *view, const struct model_settings *model)
{
	return (unsigned)(model - view->settings->models);
}

static inline struct retry_budget *fleet_budget(
	const struct fleet_view *view, unsigned shard, const struct model_settings *model)
{
	return &view->budgets[shard * view->settings->model_count + fleet_model_index(view, model)];
}

static inline struct hedge_share *fleet_hedges(
	const struct fleet_view *view, unsigned shard, const struct model_settings *model)
{
	return &view->hedges[shard * view->settings->model_count + fleet_model_index(view, model)];
}

/* ---- a call to a deployment, in the shard's thread: fleet_call.c ---- */

struct fleet_call { /* zeroed: none */
	struct fleet_deployment *deployment;
	const struct fleet_view *view;
	uint32_t pool_max; /* the bound of one's own server; 0: it is none, or has none */
	bool probe, counted;
};

/* False: not now, since the breaker's probe is under way, or the provider's bound is reached (*full). */
bool fleet_call_begin(struct fleet_call *call, const struct fleet_view *view, const struct fleet_option *option,
	bool last_resort, uint64_t tokens, struct gateway *gateway, struct shard *shard, bool *full);

enum fleet_outcome {
	FLEET_SERVED,    /* in `took_ns`, to the first token or the whole answer */
	FLEET_ANSWERED,  /* with a refusal that is no fault of its own */
	FLEET_ABANDONED, /* nothing is known */
	FLEET_OUTRUN,    /* no more than that it took longer than that */
	FLEET_FAULT,
	FLEET_THROTTLED, /* to come back in `wait_ns`; 0: it does not say */
	FLEET_REJECTED,  /* the credential is no good */
	FLEET_FORBIDDEN  /* nor is it for this model */
};

struct fleet_end {
	enum fleet_outcome outcome;
	enum balance_kind kind;
	uint64_t took_ns, wait_ns;
	uint64_t tokens; /* about, of the prompt */
};

/* What the end of a call changed for all shards; for the log. */
enum fleet_change { FLEET_SAME, FLEET_BREAKER_OPENED, FLEET_BREAKER_CLOSED, FLEET_COOLING, FLEET_CREDENTIAL_OUT };

/* Ends the call, which is none afterwards, and tells the other shards what they have to know. */
enum fleet_change fleet_call_end(
	struct fleet_call *call, const struct fleet_end *end, struct gateway *gateway, struct shard *shard);

/* What another shard counted, in the owner's thread: it decides, and tells all. */
void fleet_hear_outcomes(const struct fleet_report *report, const struct breaker_rules *rules, struct shard *shard);

/* ---- outcomes to the owners, every 50 ms while there are any: fleet_report.c ---- */

struct fleet_reporter { /* of one shard */
	struct timer timer;
	struct fleet_report *first;
	struct shard *shard;
};

void fleet_reporter_init(struct fleet_reporter *reporter, struct shard *shard);
void fleet_reporter_close(struct fleet_reporter *reporter);

/* A call ended here, in success or by the provider's fault. Nothing to do on the owner. */
void fleet_report_outcome(
	struct fleet_deployment *deployment, bool failed, struct gateway *gateway, struct shard *shard);

/* An operator puts it back into use: on every shard with nothing held against it. */
void fleet_reset(struct fleet_deployment *deployment, struct gateway *gateway, struct shard *shard);

#endif
