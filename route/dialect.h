/*
 * Dialects as rows of a table: how one is spoken to providers and with clients, and how it goes to and from the form of
 * a chat when the two sides speak different ones. Where they speak the same one, what passes is edited and never
 * rebuilt.
 */
#ifndef ROUTE_DIALECT_H
#define ROUTE_DIALECT_H

#include "proto/chat.h"
#include "proto/openai_scan.h"
#include "route/api_error.h"
#include "route/settings.h"
#include "store/receipt.h"

struct upstream_request;

struct dialect {
	const char *name;
	const struct chat_dialect *chat;
	/* To providers. */
	const char *paths[API_COUNT]; /* behind base_url; NULL: the provider lacks this API */
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
	struct slice
		end_marker; /* the data of a stream's last event, where that is no JSON; NULL data: an event says so */
	/* With clients. */
	int (*read_request)(const struct json_parser *p, enum receipt_api api, struct openai_request *request,
		struct openai_problem *problem);
	void (*print_error)(const struct api_error *error, struct slice request_id, struct text *json);
	struct slice error_event; /* what goes before an error event's data */
	struct slice end_event;   /* the last event, whole */
	struct slice id_header;   /* under which the client looks for the request's id; NULL data: x-request-id alone */
};

extern const struct dialect dialect_openai, dialect_anthropic;

/* NULL for a kind that this build cannot speak to. */
const struct dialect *dialect_of(enum provider_kind kind);

/* That of the clients of an API. */
const struct dialect *dialect_of_api(enum receipt_api api);

/* What a request in one dialect is written for when the provider speaks another. */
struct chat_target dialect_target(const struct model_settings *model, const struct deployment_settings *deployment,
	const struct provider_settings *provider);

/* enum chat_need: what the model can do in its provider's dialect, and what its settings leave of that. */
uint32_t dialect_has(const struct dialect *dialect, const struct model_settings *model, bool translated);

#endif
