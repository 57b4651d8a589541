/* An endpoint's schemas: what a call's input and a model's answer have to be, and the 422 that says where they are not.
 */
#include "route/exchange/exchange.h"

enum { WHERE_BYTES = 160, WHAT_BYTES = 160, MESSAGE_BYTES = 640 };

struct violation {
	char where_memory[WHERE_BYTES], what_memory[WHAT_BYTES];
	struct text where, what;
};

static void violation_init(struct violation *v)
{
	v->where = text_over(v->where_memory, sizeof(v->where_memory));
	v->what = text_over(v->what_memory, sizeof(v->what_memory));
}

/* Of names that clients and models choose, whole characters are quoted. */
static void print_message(const struct violation *v, struct slice subject, struct text *message)
{
	text_add(message, subject);
	if (v->where.size) {
		text_literal(message, ", at ");
		text_add(message, text_slice(&v->where));
	}
	text_literal(message, ": ");
	text_add(message, text_slice(&v->what));
	text_char(message, '.');
}

static struct api_error error_of(struct exchange *e, const struct violation *v, struct slice kind, struct slice subject)
{
	struct text message = text_over(arena_alloc(&e->arena, MESSAGE_BYTES), MESSAGE_BYTES);
	struct api_error error = {.status = 422,
		.type = SLICE("schema_violation"),
		.code = SLICE("schema_violation"),
		.message = subject,
		.kind = kind};

	if (message.data) {
		print_message(v, subject, &message);
		error.message = text_slice(&message);
	}
	return error;
}

/* ---- input ---- */

bool exchange_check_input(struct exchange *e, json_ref input)
{
	const struct json_schema *schema = e->endpoint->input_schema;
	struct text param = text_over(arena_alloc(&e->arena, WHERE_BYTES + 8), WHERE_BYTES + 8);
	struct violation v;
	struct api_error error;

	violation_init(&v);
	if (!schema || json_schema_check(schema, e->gateway_shard->json, input, &v.where, &v.what))
		return true;
	error = error_of(e, &v, SLICE("input"), SLICE("The input is not as this endpoint's schema says"));
	if (param.data) {
		text_literal(&param, "input");
		text_add(&param, text_slice(&v.where));
		error.param = text_slice(&param);
	}
	exchange_refuse(e, &error, slice_of(NULL, 0));
	return false;
}

/* ---- output ---- */

/* As the shard's view. False: it is no JSON. */
static bool parse_copy(struct exchange *e, const struct iovec *iov, unsigned count)
{
	struct json_error error;
	struct text document;
	size_t size = 0;

	for (unsigned i = 0; i < count; i++)
		size += iov[i].iov_len;
	document = text_over(arena_alloc(&e->arena, size + BUFFER_PADDING_BYTES), size);
	if (!document.data)
		return false;
	for (unsigned i = 0; i < count; i++)
		text_add(&document, slice_of(iov[i].iov_base, iov[i].iov_len));
	memset(document.data + size, 0, BUFFER_PADDING_BYTES);
	return size && json_parse(e->gateway_shard->json, text_slice(&document), &error) == 0;
}

bool exchange_view_answer(struct exchange *e)
{
	e->view_lost = true;
	return parse_copy(e, e->answer_iov, e->answer_iov_count);
}

/* What a choice says; NULL data: nothing, since it calls tools or was refused. */
static struct slice content_of(const struct json_parser *json, json_ref choice)
{
	json_ref message = json_member(json, choice, SLICE("message"));
	json_ref content = message == JSON_NONE ? JSON_NONE : json_member(json, message, SLICE("content"));

	return content != JSON_NONE && json_type(json, content) == JSON_STRING ? json_string(json, content)
									       : slice_of(NULL, 0);
}

static bool check_content(struct exchange *e, struct slice content, struct violation *v)
{
	const struct iovec iov = {(void *)(uintptr_t)content.data, content.size};

	if (!parse_copy(e, &iov, 1)) {
		text_literal(&v->what, "it is not JSON");
		return false;
	}
	return json_schema_check(e->endpoint->output_schema, e->gateway_shard->json, 0, &v->where, &v->what);
}

/* Each choice's text is copied before the view goes to it; a model's tool calls and refusals are no output. */
bool exchange_check_output(struct exchange *e)
{
	const struct json_parser *json = e->gateway_shard->json;
	struct slice contents[CHAT_CHOICES_MAX];
	unsigned count = 0;
	struct violation v;
	struct api_error error;
	json_ref choices;

	if (!e->endpoint || !e->endpoint->output_schema)
		return true;
	violation_init(&v);
	if (!exchange_view_answer(e))
		return true; /* without memory it goes out as it is */
	choices = json_member(json, 0, SLICE("choices"));
	for (json_ref c = choices == JSON_NONE ? JSON_NONE : json_first(json, choices);
		c != JSON_NONE && count < CHAT_CHOICES_MAX; c = json_next(json, c)) {
		struct slice content = content_of(json, c);

		if (content.data)
			contents[count++] = arena_copy(&e->arena, content);
	}
	for (unsigned i = 0; i < count; i++) {
		if (!contents[i].data || check_content(e, contents[i], &v))
			continue;
		error = error_of(
			e, &v, SLICE("output"), SLICE("The model's answer is not as this endpoint's schema says"));
		exchange_answer_error(e, &error, slice_of(NULL, 0));
		return false;
	}
	return true;
}

/* Whether a provider of the endpoint's model is asked for it: of `auto`, those that can are chosen from. */
bool exchange_sends_schema(const struct exchange *e)
{
	const struct settings *settings = e->config->config->settings;
	const struct model_settings *model =
		catalog_find(e->config->config->catalog, slice_of_string(e->endpoint->settings->model));

	if (!e->endpoint->output_schema || !model)
		return e->endpoint->output_schema;
	for (unsigned i = 0; i < model->deployment_count; i++) {
		const struct provider_settings *provider = &settings->providers[model->deployments[i].provider];
		const struct dialect *dialect = dialect_of_call(provider, model, e->api);

		if (dialect &&
			(dialect_has(dialect, model, dialect_translates(e->dialect, dialect)) & CHAT_JSON_SCHEMA))
			return true;
	}
	return false;
}
