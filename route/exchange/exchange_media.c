/*
 * Images and sound: what is asked for and answered there is priced by the piece, or by tokens where the provider counts
 * them and the model has a price for them.
 */
#include "route/exchange/exchange.h"

enum {
	/* gpt-image-1's tokens of an image: the dearest (high quality, 1536 x 1024), a usual one (medium, square). */
	IMAGE_TOKENS_MAX = 6240,
	IMAGE_TOKENS_USUAL = 1056,
	/* Of speech as gpt-4o-mini-tts makes it: 1,250 tokens a minute, in which 900 characters are spoken. */
	SPEECH_TOKENS_PER_100_CHARACTERS = 140,
	CHARACTERS_PER_TOKEN = 4,
	/* Of sound: what gpt-4o-transcribe hears in a second, and the most that can be said in one. */
	HEARD_TOKENS_PER_S = 10,
	SAID_TOKENS_PER_S = 5,
	/* Of a recording: Opus at 6 kbit/s; between voice messages of 16 and MP3 of 64 kbit/s. */
	SOUND_BYTES_PER_S_MIN = 750,
	SOUND_BYTES_PER_S_USUAL = 4000,
	MS_PER_S = 1000,
};

bool exchange_is_media(const struct exchange *e)
{
	return e->api == API_IMAGES || e->api == API_SPEECH || e->api == API_TRANSCRIPTIONS;
}

static uint64_t sound_ms(const struct exchange *e, unsigned bytes_per_s)
{
	return exchange_recording_bytes(e) * MS_PER_S / bytes_per_s + 1;
}

/* Providers tell whole seconds, rounded up. */
static uint64_t longest_ms(const struct exchange *e)
{
	return sound_ms(e, SOUND_BYTES_PER_S_MIN) + MS_PER_S;
}

bool exchange_read_media(struct exchange *e, struct openai_problem *problem)
{
	int err = openai_read_media_request(e->gateway_shard->json, dialect_openai_api(e->api), &e->media, problem);

	if (e->form)
		e->media.audio_ms = sound_ms(e, SOUND_BYTES_PER_S_USUAL);
	return err == 0;
}

void exchange_reserve_media(struct exchange *e)
{
	struct exchange_budget *budget = &e->budget;

	budget->pieces = (struct usage){.images = e->media.images, .characters = e->media.characters};
	budget->output_tokens = e->media.images * (uint64_t)IMAGE_TOKENS_MAX +
				e->media.characters * 2 * SPEECH_TOKENS_PER_100_CHARACTERS / 100;
	if (!e->form)
		return;
	budget->pieces.audio_ms = longest_ms(e);
	budget->heard_tokens = budget->pieces.audio_ms * HEARD_TOKENS_PER_S / MS_PER_S;
	budget->output_tokens = budget->pieces.audio_ms * SAID_TOKENS_PER_S / MS_PER_S + 1;
}

/* No more is paid than was asked for, nor fewer images than one; what is longer than it can be is not believed. */
void exchange_take_media(struct exchange *e, struct openai_answer *answer)
{
	struct openai_media told = {0};

	openai_read_media_answer(e->gateway_shard->json, &told, &answer->usage);
	if (told.images && told.images < e->media.images)
		e->media.images = told.images;
	if (!told.measured || !e->form || told.audio_ms > longest_ms(e))
		return;
	e->media.audio_ms = told.audio_ms;
	e->media.measured = true;
}

static int64_t piece_nusd(const struct exchange *e, const struct price_settings *price)
{
	switch (e->api) {
	case API_IMAGES:
		return price->image_nusd;
	case API_SPEECH:
		return price->per_million_chars_nusd;
	default:
		return price->per_minute_nusd;
	}
}

/* What tokens a provider may have counted that tells none. */
static struct usage guess_tokens(const struct exchange *e)
{
	struct usage usage = {.estimated = true,
		.prompt_tokens = e->media.characters / CHARACTERS_PER_TOKEN +
				 e->media.audio_ms * HEARD_TOKENS_PER_S / MS_PER_S + 1,
		.completion_tokens = e->media.images * (uint64_t)IMAGE_TOKENS_USUAL +
				     e->media.characters * SPEECH_TOKENS_PER_100_CHARACTERS / 100 +
				     e->media.audio_ms * SAID_TOKENS_PER_S / MS_PER_S};

	return usage;
}

/* Tokens that have no price of their own are told on the receipt, and paid by the piece. */
void exchange_settle_media(struct exchange *e)
{
	const struct price_settings *price = &e->attempt->candidate->model->price;
	bool by_piece = piece_nusd(e, price) > 0;

	if (!e->attempt->usage_known)
		e->attempt->usage = by_piece ? (struct usage){0} : guess_tokens(e);
	else if (price->input_pusd > 0 || price->output_pusd > 0)
		by_piece = false;
	if (!by_piece)
		return;
	e->attempt->usage.images = e->media.images;
	e->attempt->usage.characters = e->media.characters;
	e->attempt->usage.audio_ms = e->media.audio_ms;
	e->attempt->usage.estimated |= e->form && !e->media.measured;
}
