/*
 * Provider dialects as rows of a table: what an exchange asks of a provider's way of speaking. Today's clients all
 * speak OpenAI's dialect, so a row says how requests, answers and events go between that and the provider's own.
 */
#ifndef ROUTE_DIALECT_H
#define ROUTE_DIALECT_H

#include "proto/openai.h"
#include "proto/openai_scan.h"
#include "route/settings.h"
#include "store/receipt.h"

struct dialect {
	const char *name;
	const char *paths[API_COUNT]; /* behind base_url; NULL: the provider lacks this API */
	/* Appends the credential's header lines. */
	void (*authorize)(const struct credential_settings *credential, struct text *head);
	void (*edit_request)(const struct json_parser *p, const struct openai_request *request, struct slice model_json,
		char *added, struct json_edits *edits);
	int (*read_answer)(const struct json_parser *p, struct openai_answer *answer);
	int (*read_chunk)(const struct json_parser *p, struct openai_chunk *chunk);
	/* Reads the usual event without a view; what it does not take goes to read_chunk. */
	bool (*scan_chunk)(struct slice document, struct openai_scan *scan);
	void (*read_error)(const struct json_parser *p, struct openai_error *error);
	struct slice end_marker; /* the data of a stream's last event */
};

/* NULL for a kind that this build cannot speak to. */
const struct dialect *dialect_of(enum provider_kind kind);

/* The dialect's API number of a receipt's, for reading requests. */
enum openai_api dialect_api(enum receipt_api api);

#endif
