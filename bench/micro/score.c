/* The score of `auto`: a request of 4 KB analysed and scored, and a short one. */
#include "bench/micro/micro.h"

#include "route/auto/score.h"

enum { LONG_BYTES = 4096 };

static const char short_text[] =
	"Explain the trade-offs between optimistic and pessimistic locking, with an example in SQL.";
static const char sentence[] =
	"When the reservoir fills in spring, 3 of the 12 gates are opened; the others stay shut until June. ";

struct scoring {
	struct analysis_terms *terms;
	size_t size;
	char text[LONG_BYTES];
};

static void *open_text(const char *text, size_t unit, size_t size)
{
	struct scoring *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->terms = analysis_terms_make();
	if (!s->terms) {
		free(s);
		return NULL;
	}
	s->size = size;
	for (size_t i = 0; i < size; i++)
		s->text[i] = text[i % unit];
	return s;
}

static void *open_long(void)
{
	return open_text(sentence, sizeof(sentence) - 1, LONG_BYTES);
}

static void *open_short(void)
{
	return open_text(short_text, sizeof(short_text) - 1, sizeof(short_text) - 1);
}

static void run_score(void *state, uint64_t times)
{
	struct scoring *s = state;
	struct analysis_shape shape = {.prompt_bytes = s->size, .message_count = 1};
	struct analysis analysis;
	struct score score;

	while (times--) {
		micro_use(s);
		analyse(&analysis, s->terms, slice_of(s->text, s->size), &shape);
		score_analysis(&analysis, &score);
		micro_expect(score.permille <= 1000, "scoring");
	}
}

static void close_text(void *state)
{
	struct scoring *s = state;

	analysis_terms_free(s->terms);
	free(s);
}

const struct micro micro_score[] = {
	{"score-90", "request of 90 bytes scored", open_short, run_score, close_text, 1, NULL},
	{"score-4k", "request of 4 KB scored", open_long, run_score, close_text, 1, NULL},
	{0},
};
