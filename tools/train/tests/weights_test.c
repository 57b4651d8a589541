/* The committed weights against the project's own prompts: `make train` has to be run again when the analysis changes.
 */
#include "tools/train/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define PROMPTS "tools/train/prompts.jsonl"

static void own_prompts_keep_their_buckets(void **state)
{
	unsigned right = 0, too_low = 0;
	struct samples samples = {0};

	(void)state;
	assert_int_equal(samples_read(&samples, PROMPTS, true), 0);
	assert_true(samples.count >= 300);
	for (size_t i = 0; i < samples.count; i++) {
		const struct sample *sample = &samples.list[i];
		struct analysis analysis = {.form = sample->form, .word_count = sample->word_count};
		struct score score;

		memcpy(analysis.features, sample->features, sizeof(analysis.features));
		memcpy(analysis.words, sample->words, sample->word_count * sizeof(*analysis.words));
		score_analysis(&analysis, &score);
		right += score.bucket == sample->bucket;
		too_low += score.bucket < sample->bucket;
		if (sample->bucket == BUCKET_COMPLEX && score.bucket == BUCKET_SIMPLE)
			fail_msg("%s: complex, scored as simple", sample->label);
	}
	print_message("%zu prompts: %u in their bucket, %u below\n", samples.count, right, too_low);
	assert_true(right * 100 >= samples.count * 80);
	assert_true(too_low * 100 <= samples.count * 5);
	samples_free(&samples);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_prompts_keep_their_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
