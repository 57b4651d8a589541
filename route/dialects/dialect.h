/*
 * Dialects as rows of a table: how one is spoken to providers and with clients, and how it goes to and from the form of
 * a chat when the two sides speak different ones. Where they speak the same one, what passes is edited and never
 * rebuilt.
 */
#ifndef ROUTE_DIALECT_H
#define ROUTE_DIALECT_H

#include "proto/chat/chat.h"
#include "proto/chat/embeddings.h"
#include "proto/openai/openai_scan.h"
#include "route/gateway/api_error.h"
#include "route/settings/settings.h"
#include "store/receipt.h"

struct upstream_request;

/* What becomes of a field of a request that passes as it is, where a provider knows it otherwise. */
enum dialect_field_rule {
	DIALECT_FIELD_DROPPED,
	DIALECT_FIELD_RENAMED,
	DIALECT_FIELD_LISTED,         /* a string becomes a list of one */
	DIALECT_FIELD_MESSAGE_DROPPED /* in each message */
};

struct dialect_field {
	struct slice name;
	enum dialect_field_rule rule;
	struct slice to; /* the new name */
	uint32_t apis;   /* 1 << enum receipt_api */
};

/* What an error means where its status says something else: the contract's statuses, for what to do next. */
struct dialect_error {
	unsigned status;  /* 0: any */
	const char *word; /* its code or type; NULL: any */
	const char *part; /* a part of its message; NULL: any */
	unsigned means;
	uint32_t retry_after_s; /* where the provider does not say; 0: unknown */
};

/* A provider's word for why an answer ended, and OpenAI's. */
struct dialect_finish {
	struct slice theirs, ours;
};

struct dialect {
	const char *name;
	const struct chat_dialect *chat;
	const struct embeddings_dialect *embeddings; /* NULL: OpenAI's, or by the model: */
	const struct embeddings_dialect *(*embeddings_of)(struct slice model);
	/* To providers. */
	const char *paths[API_COUNT]; /* behind base_url; NULL: the provider lacks this API */
	void (*write_path)(const struct upstream_request *request, struct text *head); /* NULL: just that */
	uint32_t lacks; /* enum chat_need: what these providers refuse, though their dialect can say it */
	/* Tables that end with a row of zeros; NULL: none. */
	const struct dialect_field *fields;
	const struct dialect_error *errors;
	const struct dialect_finish *finishes;
	struct slice error_type_header; /* has an error's type, before a colon; NULL data: none, the body tells */
	/* Appends the credential's header lines and what else the provider wants in a head. */
	void (*authorize)(const struct upstream_request *request, struct text *head);
	void (*edit_request)(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
		char *added, struct json_edits *edits);
	int (*read_answer)(const struct json_parser *p, struct openai_answer *answer);
	/* NULL: streams are read by chat->read_event, also where they stay as they are, and edited by edit_event. */
	int (*read_chunk)(const struct json_parser *p, struct openai_chunk *chunk);
	/* Reads the usual event without a view; what it does not take goes to read_chunk. */
	bool (*scan_chunk)(struct slice document, struct openai_scan *scan);
	void (*edit_event)(const struct json_parser *p, struct slice model_json, struct json_edits *edits);
	struct slice (*event_name)(const struct json_parser *p);
	void (*read_error)(const struct json_parser *p, struct openai_error *error);
	bool event_stream; /* streams are proto/bedrock/event_stream.h's messages, and no server-sent events */
	struct slice
		end_marker; /* the data of a stream's last event, where that is no JSON; NULL data: an event says so */
	/* With clients. */
	int (*read_request)(const struct json_parser *p, enum receipt_api api, struct openai_request *request,
		struct openai_problem *problem);
	void (*print_error)(const struct api_error *error, struct slice request_id, struct text *json);
	struct slice error_event; /* what goes before an error event's data */
	/* An error event whole, where it is not that and print_error()'s; NULL: it is. */
	void (*print_stream_error)(const struct api_error *error, struct slice request_id,
		const struct chat_frame *frame, struct chat_writer *writer, struct text *out);
	struct slice
		end_event; /* the last event, whole; NULL data: it is the provider's own, or chat->write_event()'s */
	struct slice id_header; /* under which the client looks for the request's id; NULL data: x-request-id alone */
};

extern const struct dialect dialect_openai, dialect_anthropic, dialect_anthropic_count, dialect_responses,
	dialect_gemini, dialect_bedrock;
/* Providers that speak OpenAI with differences. */
extern const struct dialect dialect_azure, dialect_azure_responses, dialect_groq, dialect_together;
extern const struct dialect dialect_mistral, dialect_cohere;

/* NULL for a kind that this build cannot speak to. */
const struct dialect *dialect_of(enum provider_kind kind);

/* That of a call: some APIs have a dialect of their own, which their providers serve themselves, if the model lists it.
 */
const struct dialect *dialect_of_call(
	const struct provider_settings *provider, const struct model_settings *model, enum receipt_api api);

/* That of the clients of an API. */
const struct dialect *dialect_of_api(enum receipt_api api);

/* Behind base_url; NULL: the provider lacks this API. What is bridged goes where its chats go. */
static inline const char *dialect_path(const struct dialect *provider, enum receipt_api api)
{
	return provider->paths[api == API_RESPONSES && !provider->paths[api] ? API_CHAT_COMPLETIONS : api];
}

/* That of the provider's model of this name; NULL: OpenAI's. */
static inline const struct embeddings_dialect *dialect_embeddings(const struct dialect *provider, struct slice model)
{
	return provider->embeddings_of ? provider->embeddings_of(model) : provider->embeddings;
}

/* Whether what passes between them is another chat, and not the same one edited. */
static inline bool dialect_translates(const struct dialect *client, const struct dialect *provider)
{
	return client->chat != provider->chat;
}

/* OpenAI's name of an API of the gateway's that speaks OpenAI. */
enum openai_api dialect_openai_api(enum receipt_api api);

/* "Authorization: Bearer" and the credential's key, if it has one. */
void dialect_authorize_bearer(const struct upstream_request *request, struct text *head);

/*
 * dialect_fields.c: edits a request that passes as it is, by the rows of `fields` for its API, and notes in `dropped`
 * what goes. The new bytes of edits are the arena's. 0; -ENOMEM.
 */
int dialect_edit_fields(const struct dialect_field *fields, enum receipt_api api, const struct json_parser *p,
	struct arena *arena, struct json_edits *edits, struct text *dropped);
/* For a model that takes no sampling: its fields go, and `max_tokens` has the name that such models know. */
const struct dialect_field *dialect_unsampled_fields(bool max_completion_tokens);
/* OpenAI's word for the provider's; any that no row of `finishes` names is the same. */
struct slice dialect_finish(const struct dialect *dialect, struct slice theirs);
/* Edits the reasons for which an answer's or an event's choices ended. */
void dialect_edit_finish(const struct dialect *dialect, const struct json_parser *p, struct json_edits *edits);

/* The code that clients know an error of a request by; the provider's own where there is no other. */
struct slice dialect_error_code(const struct openai_error *error);
/* Whether a 400 complains of sampling as such (temperature and its like), and of nothing that the client can mend. */
bool dialect_refuses_sampling(const struct openai_error *error);
/* dialect_errors.c: the status that an error has in the contract's words. */
unsigned dialect_error_means(
	const struct dialect *dialect, unsigned status, const struct openai_error *error, uint32_t *retry_after_s);

/* What a request in one dialect is written for when the provider speaks another. */
struct chat_target dialect_target(const struct model_settings *model, const struct deployment_settings *deployment,
	const struct provider_settings *provider);

/* Whether the model takes temperature and its like, in whatever version its provider is asked. */
bool dialect_samples(const struct model_settings *model);

/* enum chat_need: what the model can do in its provider's dialect, and what its settings leave of that. */
uint32_t dialect_has(const struct dialect *dialect, const struct model_settings *model, bool translated);

/* Whether the begin of an answer may be sent along, for the model to go on with. */
bool dialect_takes_prefill(const struct dialect *dialect, const struct model_settings *model);

#endif
