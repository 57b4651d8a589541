/* The Responses API's row of the table of dialects: of its clients, and of the providers that serve it themselves. */
#include "route/dialects/dialect.h"

#include "proto/responses/responses.h"
#include "route/dialects/dialect_errors.h"

static int read_request(const struct json_parser *p, enum receipt_api api, struct openai_request *request,
	struct openai_problem *problem)
{
	(void)api;
	return responses_read_common(p, request, problem);
}

/* The answer's own end, as a failure: its error has a code, whatever it is. */
static void print_stream_error(const struct api_error *error, struct slice request_id, const struct chat_frame *frame,
	struct chat_writer *writer, struct text *out)
{
	char memory[8192];
	struct text object = text_over(memory, sizeof(memory));
	struct api_error own = *error;

	if (!own.code.data)
		own.code = SLICE("server_error");
	api_error_print_member(&own, request_id, &object);
	if (object.full) {
		object.size = 0;
		object.full = false;
		own.upstream = slice_of(NULL, 0);
		own.message = SLICE("The provider failed in the midst of its answer.");
		api_error_print_member(&own, request_id, &object);
	}
	responses_write_failure(writer, frame, slice_after(text_slice(&object), sizeof("\"error\":") - 1), out);
}

const struct dialect dialect_responses = {
	.name = "responses",
	.chat = &chat_responses,
	.paths = {[API_RESPONSES] = "/responses"},
	.authorize = dialect_authorize_bearer,
	.edit_request = responses_edit_request,
	.read_answer = responses_read_figures,
	.edit_event = responses_edit_event,
	.event_name = chat_event_name,
	.read_error = openai_read_error,
	.errors = dialect_errors_openai,
	.read_request = read_request,
	.print_error = api_error_print,
	.print_stream_error = print_stream_error,
};
