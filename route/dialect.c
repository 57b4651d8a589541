/* The table of provider dialects. */
#include "route/dialect.h"

#include "core/text.h"

#include <assert.h>

static void authorize_bearer(const struct credential_settings *credential, struct text *head)
{
	if (!credential->api_key || !credential->api_key[0])
		return; /* a server of one's own may want none */
	text_literal(head, "Authorization: Bearer ");
	text_string(head, credential->api_key);
	text_literal(head, "\r\n");
}

static const struct dialect openai = {
	.name = "openai",
	.paths =
		{
			[API_CHAT_COMPLETIONS] = "/chat/completions",
			[API_COMPLETIONS] = "/completions",
			[API_EMBEDDINGS] = "/embeddings",
			[API_MODERATIONS] = "/moderations",
		},
	.authorize = authorize_bearer,
	.edit_request = openai_edit_request,
	.read_answer = openai_read_answer,
	.read_chunk = openai_read_chunk,
	.scan_chunk = openai_scan_chunk,
	.read_error = openai_read_error,
	.end_marker = {"[DONE]", 6},
};

const struct dialect *dialect_of(enum provider_kind kind)
{
	switch (kind) {
	case PROVIDER_OPENAI:
	case PROVIDER_OPENAI_COMPATIBLE:
		return &openai;
	default:
		return NULL;
	}
}

enum openai_api dialect_api(enum receipt_api api)
{
	switch (api) {
	case API_CHAT_COMPLETIONS:
		return OPENAI_CHAT;
	case API_COMPLETIONS:
		return OPENAI_COMPLETIONS;
	case API_EMBEDDINGS:
		return OPENAI_EMBEDDINGS;
	default:
		assert(api == API_MODERATIONS); /* routes name no other */
		return OPENAI_MODERATIONS;
	}
}
