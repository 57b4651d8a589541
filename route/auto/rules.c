#include "route/auto/rules.h"

#include "core/clock.h"

static bool compares(const struct comparison_settings *c, int64_t value)
{
	return (c->gt < 0 || value > c->gt) && (c->gte < 0 || value >= c->gte) && (c->lt < 0 || value < c->lt) &&
	       (c->lte < 0 || value <= c->lte) && (c->eq < 0 || value == c->eq);
}

static bool is_asked(const struct comparison_settings *c)
{
	return c->gt >= 0 || c->gte >= 0 || c->lt >= 0 || c->lte >= 0 || c->eq >= 0;
}

static bool in_span(const struct day_span *span, uint64_t wall_ns)
{
	unsigned minute = (unsigned)(wall_ns / (60 * NS_PER_S) % (24 * 60));

	if (span->from_minute <= span->to_minute)
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
		(rule->has_tools >= 0 && rule->has_tools != facts->has_tools))
		return false;
	if (rule->bucket >= 0 && (enum route_bucket)rule->bucket != facts->bucket)
		return false;
	if (!compares(&rule->input_tokens, (int64_t)facts->input_tokens))
		return false;
	if (is_asked(&rule->monthly_spend_percent) &&
		(facts->monthly_spend_percent < 0 ||
			!compares(&rule->monthly_spend_percent, facts->monthly_spend_percent)))
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

static bool same_comparison(const struct comparison_settings *a, const struct comparison_settings *b)
{
	return a->gt == b->gt && a->gte == b->gte && a->lt == b->lt && a->lte == b->lte && a->eq == b->eq;
}

/* Each condition of the earlier rule is left out, or the later one has the same. */
static bool covers(const struct rule_settings *earlier, const struct rule_settings *later)
{
	if (earlier->model && (!later->model || strcmp(earlier->model, later->model) != 0))
		return false;
	if ((earlier->has_schema >= 0 && earlier->has_schema != later->has_schema) ||
		(earlier->has_tools >= 0 && earlier->has_tools != later->has_tools) ||
		(earlier->bucket >= 0 && earlier->bucket != later->bucket))
		return false;
	if ((is_asked(&earlier->input_tokens) && !same_comparison(&earlier->input_tokens, &later->input_tokens)) ||
		(is_asked(&earlier->monthly_spend_percent) &&
			!same_comparison(&earlier->monthly_spend_percent, &later->monthly_spend_percent)))
		return false;
	if (earlier->has_time_of_day &&
		(!later->has_time_of_day || earlier->time_of_day.from_minute != later->time_of_day.from_minute ||
			earlier->time_of_day.to_minute != later->time_of_day.to_minute))
		return false;
	for (unsigned i = 0; i < earlier->tag_count; i++) {
		const struct key_settings tags = {.tag_count = later->tag_count, .tags = later->tags};

		if (!has_tag(&tags, &earlier->tags[i]))
			return false;
	}
	return true;
}

unsigned rules_unreachable(const struct rule_settings *rules, unsigned count, unsigned from, unsigned *shadowed_by)
{
	for (unsigned i = from; i < count; i++)
		for (unsigned k = 0; k < i; k++)
			if (covers(&rules[k], &rules[i])) {
				*shadowed_by = k;
				return i;
			}
	return count;
}
