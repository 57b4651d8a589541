/* Matching, and what can never match: see rules.h. */
#include "route/auto/rules.h"

#include "core/clock.h"

enum { DAY_MINUTES = 24 * 60 };

/* The values that a comparison lets through; none where least > most. */
struct range {
	int64_t least, most;
};

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct range range_of(const struct comparison_settings *c)
{
	struct range range = {0, INT64_MAX};

	if (c->gt >= 0)
		range.least = larger(range.least, c->gt + 1);
	if (c->gte >= 0)
		range.least = larger(range.least, c->gte);
	if (c->lt >= 0)
		range.most = smaller(range.most, c->lt - 1);
	if (c->lte >= 0)
		range.most = smaller(range.most, c->lte);
	if (c->eq >= 0)
		range = (struct range){larger(range.least, c->eq), smaller(range.most, c->eq)};
	return range;
}

static bool is_asked(const struct comparison_settings *c)
{
	return c->gt >= 0 || c->gte >= 0 || c->lt >= 0 || c->lte >= 0 || c->eq >= 0;
}

/* A value below 0 is none: no comparison lets it through. */
static bool compares(const struct comparison_settings *c, int64_t value)
{
	struct range range = range_of(c);

	return !is_asked(c) || (value >= range.least && value <= range.most);
}

static bool in_span(const struct day_span *span, uint64_t wall_ns)
{
	int64_t unix_s = (int64_t)(wall_ns / NS_PER_S);
	int64_t local_s = unix_s + (span->zone ? zone_ahead_s(span->zone, unix_s) : 0);
	unsigned minute = (unsigned)((local_s / 60 % DAY_MINUTES + DAY_MINUTES) % DAY_MINUTES);

	if (span->from_minute < span->to_minute)
		return minute >= span->from_minute && minute < span->to_minute;
	return minute >= span->from_minute || minute < span->to_minute;
}

static bool has_tag(const struct key_settings *key, const struct named_value *tag)
{
	for (unsigned i = 0; i < key->tag_count; i++)
		if (strcmp(key->tags[i].name, tag->name) == 0 && strcmp(key->tags[i].value, tag->value) == 0)
			return true;
	return false;
}

static bool has_tags(const struct key_settings *key, const struct rule_settings *rule)
{
	for (unsigned i = 0; i < rule->tag_count; i++)
		if (!has_tag(key, &rule->tags[i]))
			return false;
	return true;
}

static bool matches(const struct rule_settings *rule, const struct rule_facts *facts)
{
	if (rule->model && !slice_equal(slice_of_string(rule->model), facts->model))
		return false;
	if ((rule->has_schema >= 0 && rule->has_schema != facts->has_schema) ||
		(rule->has_tools >= 0 && rule->has_tools != facts->has_tools) ||
		(rule->has_images >= 0 && rule->has_images != facts->has_images))
		return false;
	if (rule->region && !slice_equal(slice_of_string(rule->region), facts->region))
		return false;
	if (rule->bucket >= 0 && (enum route_bucket)rule->bucket != facts->bucket)
		return false;
	if (!compares(&rule->input_tokens, (int64_t)facts->input_tokens) ||
		!compares(&rule->monthly_spend_percent, facts->monthly_spend_percent))
		return false;
	if (rule->has_time_of_day && !in_span(&rule->time_of_day, facts->wall_ns))
		return false;
	return has_tags(facts->key, rule);
}

const struct rule_settings *rules_match(
	const struct rule_settings *rules, unsigned count, const struct rule_facts *facts)
{
	for (unsigned i = 0; i < count; i++)
		if (matches(&rules[i], facts))
			return &rules[i];
	return NULL;
}

bool rules_need_score(const struct rule_settings *rules, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (rules[i].bucket >= 0)
			return true;
	return false;
}

/* ---- what can never match ------------------------------------------------------------------------------------- */

/* All that `later` lets through, `earlier` does. */
static bool covers_range(const struct comparison_settings *earlier, const struct comparison_settings *later)
{
	struct range outer = range_of(earlier), inner = range_of(later);

	return !is_asked(earlier) || (is_asked(later) && outer.least <= inner.least && outer.most >= inner.most);
}

static bool is_empty(const struct comparison_settings *c)
{
	struct range range = range_of(c);

	return range.least > range.most;
}

/* One of the same clock alone: two zones' clocks may part on any day. */
static bool same_clock(const struct zone *a, const struct zone *b)
{
	return a == b || (a && b && memcmp(a, b, sizeof(*a)) == 0);
}

static unsigned span_minutes(const struct day_span *span)
{
	return (span->to_minute + DAY_MINUTES - span->from_minute) % DAY_MINUTES;
}

static bool covers_span(const struct day_span *earlier, const struct day_span *later)
{
	unsigned offset = (later->from_minute + DAY_MINUTES - earlier->from_minute) % DAY_MINUTES;
	unsigned minutes = span_minutes(earlier);

	if (minutes == 0) /* 00:00-24:00 */
		return true;
	return same_clock(earlier->zone, later->zone) && span_minutes(later) && offset + span_minutes(later) <= minutes;
}

static bool covers_text(const char *earlier, const char *later)
{
	return !earlier || (later && strcmp(earlier, later) == 0);
}

static bool covers_choice(int8_t earlier, int8_t later)
{
	return earlier < 0 || earlier == later;
}

/* What the later rule asks for, the earlier one asks for as well, or for less. */
static bool covers(const struct rule_settings *earlier, const struct rule_settings *later)
{
	const struct key_settings tags = {.tag_count = later->tag_count, .tags = later->tags};

	if (!covers_text(earlier->model, later->model) || !covers_text(earlier->region, later->region))
		return false;
	if (!covers_choice(earlier->has_schema, later->has_schema) ||
		!covers_choice(earlier->has_tools, later->has_tools) ||
		!covers_choice(earlier->has_images, later->has_images) ||
		!covers_choice(earlier->bucket, later->bucket))
		return false;
	if (!covers_range(&earlier->input_tokens, &later->input_tokens) ||
		!covers_range(&earlier->monthly_spend_percent, &later->monthly_spend_percent))
		return false;
	if (earlier->has_time_of_day &&
		(!later->has_time_of_day || !covers_span(&earlier->time_of_day, &later->time_of_day)))
		return false;
	return has_tags(&tags, earlier);
}

unsigned rules_unreachable(const struct rule_settings *rules, unsigned count, unsigned from, unsigned *shadowed_by)
{
	for (unsigned i = from; i < count; i++)
		for (unsigned k = 0; k <= i; k++)
			if (k < i ? covers(&rules[k], &rules[i])
				  : is_empty(&rules[i].input_tokens) || is_empty(&rules[i].monthly_spend_percent)) {
				*shadowed_by = k;
				return i;
			}
	return count;
}
