/*
 * The built-in catalog: what is known of the well-known models, for configurations that do not say it: prices, context,
 * output, what they can do. A model is known by the kind of its provider and the provider's exact name of it; nothing
 * is guessed from a part of a name.
 */
#ifndef ROUTE_CATALOG_KNOWN_H
#define ROUTE_CATALOG_KNOWN_H

#include "route/settings/settings.h"

enum catalog_use {
	CATALOG_CHAT,
	CATALOG_EMBEDDINGS,
	CATALOG_MODERATIONS,
	CATALOG_IMAGES,
	CATALOG_TRANSCRIPTION,
	CATALOG_SPEECH,
	CATALOG_USES
};

/* What a chat model lacks of what its provider's kind can do: enum chat_need, and these. */
enum { CATALOG_NO_SAMPLING = 1 << 30, CATALOG_NO_REASONING = 1 << 29 };

struct catalog_row {
	enum provider_kind kind;
	const char *model;
	enum catalog_use use;
	uint32_t lacks;
	uint32_t context_window, max_output_tokens; /* 0: not known */
	uint32_t quality_milli;                     /* 0: not known */
	bool priced;
	/* Pico-USD a token, which is USD a million tokens times a million; -1: none of its own. */
	int64_t input_pusd, output_pusd, cached_input_pusd, cache_write_pusd;
	uint64_t above_tokens; /* 0: no tier */
	int64_t above_input_pusd, above_output_pusd, above_cached_input_pusd;
	int64_t image_nusd, per_minute_nusd, per_million_chars_nusd;
};

/* NULL: not known. */
const struct catalog_row *catalog_known(enum provider_kind kind, const char *model);
const struct catalog_row *catalog_rows(size_t *count);

/* What the row knows and the model's settings leave open. Its own words win, each by itself. */
void catalog_fill_price(const struct catalog_row *row, struct price_settings *price);

/*
 * The row's capabilities, of the names that configurations may say: appends to `list`, which has room for `most`, and
 * returns their count.
 */
unsigned catalog_list_capabilities(const struct catalog_row *row, const char **list, unsigned most);

#endif
