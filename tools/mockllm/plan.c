/*
 * A model's name as a plan: what follows "mock" is a list of options, "mock-events-100-paced-20" or
 * "mock-slow-250-no-usage". Words that are no option mean nothing, so that a name may carry more.
 */
#include "tools/mockllm/mock.h"

#include "core/clock.h"

enum option {
	EVENTS,
	PACED,
	STATUS,
	RETRY_AFTER,
	REFUSE,
	RESET,
	STALL_HEAD,
	STALL_BODY,
	TRUNCATED,
	INVALID_JSON,
	DRIP,
	CUT,
	NO_DONE,
	ERROR_EVENT,
	LARGE,
	NO_USAGE,
	TOOL,
	SLOW,
	SPLIT,
	PARALLEL,
	EMPTY_INPUT,
	THINKING,
	CACHED,
	ERROR_FIRST,
	JSON,
	SAFETY,
	BLOCKED,
};

static const struct {
	struct slice name;
	enum option option;
	bool number; /* a number follows */
} options_table[] = {
	{SLICE("events-"), EVENTS, true},
	{SLICE("paced-"), PACED, true},
	{SLICE("status-"), STATUS, true},
	{SLICE("retry-after-"), RETRY_AFTER, true},
	{SLICE("refuse"), REFUSE, false},
	{SLICE("reset"), RESET, false},
	{SLICE("stall-head"), STALL_HEAD, false},
	{SLICE("stall-body"), STALL_BODY, false},
	{SLICE("truncated"), TRUNCATED, false},
	{SLICE("invalid-json"), INVALID_JSON, false},
	{SLICE("drip"), DRIP, false},
	{SLICE("cut"), CUT, false},
	{SLICE("no-done"), NO_DONE, false},
	{SLICE("error-event"), ERROR_EVENT, false},
	{SLICE("large-"), LARGE, true},
	{SLICE("no-usage"), NO_USAGE, false},
	{SLICE("tool"), TOOL, false},
	{SLICE("slow-"), SLOW, true},
	{SLICE("split"), SPLIT, false},
	{SLICE("parallel"), PARALLEL, false},
	{SLICE("empty-input"), EMPTY_INPUT, false},
	{SLICE("thinking"), THINKING, false},
	{SLICE("cached"), CACHED, false},
	{SLICE("error-first"), ERROR_FIRST, false},
	{SLICE("json"), JSON, false},
	{SLICE("safety"), SAFETY, false},
	{SLICE("blocked"), BLOCKED, false},
};

enum { NUMBER_MAX = 1000000, LARGE_MAX_KB = 65536 };

static unsigned take_number(struct slice *rest)
{
	unsigned number = 0;

	while (rest->size && rest->data[0] >= '0' && rest->data[0] <= '9') {
		number = number * 10 + (unsigned)(rest->data[0] - '0');
		if (number > NUMBER_MAX)
			number = NUMBER_MAX;
		*rest = slice_after(*rest, 1);
	}
	return number;
}

static void apply(struct mock_plan *plan, enum option option, unsigned number)
{
	switch (option) {
	case EVENTS:
		plan->words = number;
		plan->words_fixed = true;
		break;
	case PACED:
		plan->interval_ns = number * NS_PER_MS;
		break;
	case STATUS:
		plan->status = number >= 400 && number <= 599 ? number : 500;
		break;
	case RETRY_AFTER:
		plan->status = 429;
		plan->retry_after_s = number;
		break;
	case LARGE:
		plan->words = (number < LARGE_MAX_KB ? number : LARGE_MAX_KB) * 1024 / MOCK_WORD_BYTES + 1;
		plan->words_fixed = true;
		break;
	case SLOW:
		plan->head_delay_ns = number * NS_PER_MS;
		break;
	case DRIP:
		plan->pieces = MOCK_DRIP;
		break;
	case SPLIT:
		plan->pieces = MOCK_SPLIT;
		break;
	case NO_USAGE:
		plan->no_usage = true;
		break;
	case TOOL:
		plan->tool = true;
		break;
	case PARALLEL:
		plan->parallel = true;
		break;
	case EMPTY_INPUT:
		plan->empty_input = true;
		break;
	case THINKING:
		plan->thinking = true;
		break;
	case CACHED:
		plan->cached = true;
		break;
	case JSON:
		plan->json = true;
		break;
	case ERROR_FIRST:
		plan->error_first = true;
		break;
	case SAFETY:
		plan->safety = true;
		break;
	case BLOCKED:
		plan->blocked = true;
		break;
	case REFUSE:
		plan->fault = MOCK_REFUSE;
		break;
	case RESET:
		plan->fault = MOCK_RESET;
		break;
	case STALL_HEAD:
		plan->fault = MOCK_STALL_HEAD;
		break;
	case STALL_BODY:
		plan->fault = MOCK_STALL_BODY;
		break;
	case TRUNCATED:
		plan->fault = MOCK_TRUNCATED;
		break;
	case INVALID_JSON:
		plan->fault = MOCK_INVALID_JSON;
		break;
	case CUT:
		plan->fault = MOCK_CUT;
		break;
	case NO_DONE:
		plan->fault = MOCK_NO_DONE;
		break;
	case ERROR_EVENT:
		plan->fault = MOCK_ERROR_EVENT;
		break;
	}
}

/* Takes one option, or skips one word. */
static void take_option(struct mock_plan *plan, struct slice *rest)
{
	for (size_t i = 0; i < sizeof(options_table) / sizeof(options_table[0]); i++) {
		if (!slice_starts_with(*rest, options_table[i].name))
			continue;
		*rest = slice_after(*rest, options_table[i].name.size);
		apply(plan, options_table[i].option, options_table[i].number ? take_number(rest) : 0);
		return;
	}
	while (rest->size && rest->data[0] != '-')
		*rest = slice_after(*rest, 1);
}

void mock_plan_make(struct mock_plan *plan, const struct mock_options *options, struct slice model)
{
	const char *mock = model.size ? memmem(model.data, model.size, "mock", 4) : NULL;
	struct slice rest;

	*plan = (struct mock_plan){
		.words = options->answer_words,
		.head_delay_ns = options->ttft_ns,
		.interval_ns = options->interval_ns,
	};
	if (!mock)
		return;
	rest = slice_after(model, (size_t)(mock - model.data) + 4);
	while (rest.size) {
		if (rest.data[0] == '-')
			rest = slice_after(rest, 1);
		else
			take_option(plan, &rest);
	}
}
