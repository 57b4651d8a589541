/*
 * The lists of words that mean something for a request's difficulty. Whole words, small letters, bytes of UTF-8; of
 * several languages where one word says it. Words with a second, everyday meaning stay out: "class", "table", "sum up".
 */
#include "route/auto/analysis_word.h"

#include <assert.h>
#include <stdlib.h>

static const struct {
	enum analysis_feature feature;
	const char *words; /* one space between two */
} lists[] = {
	{ANALYSIS_CODE_WORDS,
		"algorithm api async autoscaling backend bash boolean bug bytecode callback compile compiler "
		"concurrency "
		"coroutine cpp css daemon database deadlock debug debugger dockerfile docker endpoint enum exception "
		"frontend func git github golang goroutine grpc haskell heap html http javascript java json jvm kotlin "
		"kubernetes lambda linux localhost malloc middleware mongodb mutex mysql namespace nginx nodejs npm "
		"nullptr "
		"numpy oauth orm pandas parser php postgres postgresql printf pseudocode pytest python react recursion "
		"recursive redis refactor regex regexp rest ruby runtime rust sdk segfault segmentation serverless sql "
		"sqlite stacktrace stdin stdout struct subprocess swift syntax systemd terraform thread threads "
		"traceback "
		"typescript unittest utf8 uint8 uint32 int32 int64 varchar vue webhook websocket xml yaml программа "
		"программу "
		"código programme programmieren"},
	{ANALYSIS_MATHS_WORDS,
		"abelian algebra algebraic antiderivative asymptotic bijective binomial calculus coefficient "
		"combinatorial "
		"congruent convergence convex cosine countable covariance determinant differentiable differential "
		"diophantine divisible eigenvalue eigenvalues eigenvector ellipse equation equations expectation "
		"exponential "
		"factorial fibonacci fourier geometric geometry gradient hyperbola hypotenuse injective integer "
		"integers "
		"integral integrals invertible irrational isomorphic isomorphism lemma linear logarithm manifold "
		"matrices "
		"matrix maximize minimize modulo monotonic multiplicative nonzero orthogonal parabola permutation "
		"permutations perpendicular polygon polynomial polynomials posterior primes probability quadratic "
		"quotient "
		"radians riemann sequence sine stochastic subgroup subspace surjective tangent theorem "
		"topology triangle trigonometric variance vector vectors gleichung wahrscheinlichkeit ecuación "
		"probabilidad "
		"équation probabilité уравнение вероятность"},
	{ANALYSIS_REASONING_WORDS,
		"analyze analyse argue argument assess assume assumption assumptions because causal compare conclude "
		"conclusion consequence consequences contradiction contrast counterargument counterexample critically "
		"critique "
		"deduce derive diagnose disprove evaluate evidence explain fallacy hypothesis hypotheses implication "
		"implications imply implies infer inference interpret justify paradox premise premises proof prove "
		"proven "
		"rationale reason reasoning refute rigorous rigorously tradeoff tradeoffs why warum begründe "
		"erkläre beweise explique demuestra pourquoi démontrer почему докажи объясни perché"},
	{ANALYSIS_DESIGN_WORDS,
		"architect architecture budget constraint constraints deploy deployment design diagram distributed "
		"feasible "
		"fault framework implement implementation infrastructure integrate investigate latency lifecycle "
		"methodology "
		"migrate migration milestone milestones optimal optimise optimize orchestrate plan planning prioritise "
		"prioritize proposal prototype requirements resilient roadmap rollback rollout scalability scalable "
		"schedule "
		"scheduling simulate specification stakeholder stakeholders strategy strategies synthesize throughput "
		"troubleshoot workflow entwirf entwerfe diseña conçois спроектируй"},
	{ANALYSIS_TASK_WORDS, "antonym bullet capital capitalise capitalize classify convert correct count define "
			      "definition extract fix "
			      "format grammar greeting headline label list lowercase misspelled name paraphrase "
			      "pluralize proofread rename "
			      "rephrase reply reword rewrite sentiment shorten sort spell spelling summarise summarize "
			      "summary synonym "
			      "synonyms tag title translate translation tweet uppercase übersetze übersetzen fasse "
			      "traduce traduire traduis "
			      "resume résume переведи traduci 翻译 翻訳"},
	{ANALYSIS_PARTS,
		"double doubled eighth fifth fraction half halves percent percentage quarter quarters ratio tenth "
		"third thirds "
		"times triple tripled twice doppelt hälfte prozent viertel doble mitad porcentaje moitié pourcentage"},
	{ANALYSIS_SMALL_TALK, "bye cheers goodbye haha hello hey hi morning okay ok please thanks thank welcome hallo "
			      "danke hola gracias "
			      "bonjour merci привет спасибо ciao grazie"},
};

static unsigned slot_of(uint64_t hash)
{
	return (unsigned)(hash >> (64 - TERM_SLOT_BITS));
}

static struct word word_of(struct slice text)
{
	struct word word = {0, 0};
	size_t size = text.size < WORD_BYTES ? text.size : WORD_BYTES;

	memcpy(&word.begin, text.data, size < 8 ? size : 8);
	if (size > 8)
		memcpy(&word.end, text.data + 8, size - 8);
	return word;
}

static unsigned add(struct analysis_terms *terms, struct slice text, enum analysis_feature feature)
{
	struct word word = word_of(text);
	uint64_t hash = word_hash(word);
	unsigned slot = slot_of(hash);

	terms->filter[term_filter_word(hash)] |= term_filter_bit(hash);
	while (terms->slots[slot].taken)
		slot = (slot + 1) % TERM_SLOTS;
	terms->slots[slot].word = word;
	terms->slots[slot].feature = (uint8_t)feature;
	terms->slots[slot].taken = true;
	return 1;
}

static unsigned add_list(struct analysis_terms *terms, struct slice words, enum analysis_feature feature)
{
	unsigned count = 0;

	while (words.size) {
		const char *space = memchr(words.data, ' ', words.size);
		size_t size = space ? (size_t)(space - words.data) : words.size;

		count += add(terms, slice_of(words.data, size), feature);
		words = slice_after(words, size + 1);
	}
	return count;
}

struct analysis_terms *analysis_terms_make(void)
{
	struct analysis_terms *terms = calloc(1, sizeof(*terms));
	unsigned count = 0;

	if (!terms)
		return NULL;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		count += add_list(terms, slice_of_string(lists[i].words), lists[i].feature);
	assert(count <= TERM_SLOTS / 2);
	return terms;
}

void analysis_terms_free(struct analysis_terms *terms)
{
	free(terms);
}

unsigned analysis_find_term(const struct analysis_terms *terms, struct word word, uint64_t hash)
{
	unsigned slot = slot_of(hash);

	while (terms->slots[slot].taken) {
		if (word_same(terms->slots[slot].word, word))
			return terms->slots[slot].feature;
		slot = (slot + 1) % TERM_SLOTS;
	}
	return WORD_NO_FEATURE;
}
