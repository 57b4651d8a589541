/* Request heads for providers: a known list of headers, nothing of the client's but its trace. */
#include "route/fleet/upstream.h"

#include "route/gateway/gateway.h"

static void add_host(const struct provider_settings *provider, struct text *head)
{
	bool v6 = strchr(provider->host, ':') != NULL;

	text_literal(head, "Host: ");
	if (v6)
		text_char(head, '[');
	text_string(head, provider->host);
	if (v6)
		text_char(head, ']');
	if (provider->port != (provider->tls ? 443 : 80)) {
		text_char(head, ':');
		text_u64(head, provider->port);
	}
	text_literal(head, "\r\n");
}

static void add_line(struct text *head, struct slice name, struct slice value)
{
	if (value.size == 0)
		return;
	text_add(head, name);
	text_literal(head, ": ");
	text_add(head, value);
	text_literal(head, "\r\n");
}

void upstream_add_segment(struct text *head, struct slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("-._~", c))) {
			text_char(head, (char)c);
			continue;
		}
		text_char(head, '%');
		text_char(head, "0123456789ABCDEF"[c >> 4]);
		text_char(head, "0123456789ABCDEF"[c & 15]);
	}
}

struct slice upstream_stream_type(const struct dialect *dialect)
{
	return dialect->event_stream ? SLICE("application/vnd.amazon.eventstream") : SLICE("text/event-stream");
}

static void add_call_path(const struct upstream_request *request, struct text *head)
{
	if (request->provider->path_prefix)
		text_string(head, request->provider->path_prefix);
	if (request->dialect->write_path)
		request->dialect->write_path(request, head);
	else
		text_string(head, dialect_path(request->dialect, request->api));
}

static void add_request_line(const struct upstream_request *request, struct text *head)
{
	if (request->list_path.data) {
		text_literal(head, "GET ");
		text_add(head, request->list_path);
	} else {
		text_literal(head, "POST ");
		add_call_path(request, head);
	}
	text_literal(head, " HTTP/1.1\r\n");
}

void upstream_head(const struct upstream_request *request, struct text *head)
{
	add_request_line(request, head);
	add_host(request->provider, head);
	request->dialect->authorize(request, head);
	if (!request->list_path.data) {
		text_literal(head, "Content-Type: ");
		text_add(head, request->content_type.data ? request->content_type : SLICE("application/json"));
		text_literal(head, "\r\nContent-Length: ");
		text_u64(head, request->body_bytes);
		text_literal(head, "\r\n");
	}
	text_literal(head, "Accept: ");
	if (request->stream)
		text_add(head, upstream_stream_type(request->dialect));
	else if (request->api == API_SPEECH || request->api == API_TRANSCRIPTIONS)
		text_literal(head, "*/*");
	else
		text_literal(head, "application/json");
	text_literal(head, "\r\n");
	text_literal(head, "User-Agent: tollgate/" TOLLGATE_VERSION "\r\n");
	add_line(head, SLICE("traceparent"), request->traceparent);
	add_line(head, SLICE("tracestate"), request->tracestate);
	text_literal(head, "\r\n");
}
