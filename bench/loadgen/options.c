/* Command line of loadgen; renders the request once. */
#include "bench/loadgen/loadgen.h"

#include "core/kconfig.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADERS_MAX = 16, BODY_MAX_BYTES = 64 << 20 };

struct wanted {
	const char *method, *url, *body_path, *body_text;
	const char *headers[HEADERS_MAX];
	unsigned header_count;
};

static const char usage[] = "loadgen [options] http[s]://ADDRESS:PORT/PATH\n"
			    "  --method M            GET, or POST when there is a body\n"
			    "  --header 'K: V'       up to 16\n"
			    "  --body FILE, --data TEXT\n"
			    "  --connections N       kept alive (1)\n"
			    "  --duration S          seconds (5), or\n"
			    "  --requests N          how many\n"
			    "  --rate R              open loop: R requests a second (closed loop)\n"
			    "  --timeout S           for the last answers (5)\n"
			    "  --sse                 count events, time the first and the gaps\n"
			    "  --abort-after-events N  close the connection in mid-stream\n"
			    "  --ca FILE             issuers that are trusted for https (the system's)\n"
			    "  --full-handshakes     resume no TLS session\n"
			    "  --json\n";

static bool complain(const char *why, const char *what)
{
	fprintf(stderr, "loadgen: %s: %s\n", why, what);
	return false;
}

static bool read_number(const char *text, double max, double *number)
{
	char *end;

	*number = strtod(text, &end);
	return *text && !*end && *number >= 0 && *number <= max;
}

/* http[s]://ADDRESS:PORT/PATH; an address, because names are not the matter here. */
static bool read_url(const char *url, struct options *options, const char **path)
{
	const char *colon, *slash;
	double port = 0;
	char digits[8] = "";

	options->https = CONFIG(TLS) && url && strncmp(url, "https://", 8) == 0;
	if (!options->https && (!url || strncmp(url, "http://", 7) != 0))
		return false;
	url += options->https ? 8 : 7;
	colon = strchr(url, ':');
	slash = strchr(url, '/');
	*path = slash ? slash : "/";
	if (!slash)
		slash = url + strlen(url);
	if (!colon || colon > slash || colon - url >= (ptrdiff_t)sizeof(options->host) || slash - colon > 6)
		return false;
	memcpy(options->host, url, (size_t)(colon - url));
	options->host[colon - url] = '\0';
	memcpy(digits, colon + 1, (size_t)(slash - colon - 1));
	options->address.sin_family = AF_INET;
	if (!read_number(digits, UINT16_MAX, &port) ||
		inet_pton(AF_INET, options->host, &options->address.sin_addr) != 1)
		return false;
	options->address.sin_port = htons((uint16_t)port);
	return true;
}

static bool read_body(const char *path, char **body, size_t *size)
{
	FILE *file = fopen(path, "rb");
	bool good = false;

	if (!file)
		return false;
	*body = malloc(BODY_MAX_BYTES);
	if (*body) {
		*size = fread(*body, 1, BODY_MAX_BYTES, file);
		good = !ferror(file) && *size < BODY_MAX_BYTES;
	}
	fclose(file);
	return good;
}

static bool render(struct options *options, const struct wanted *wanted, const char *path, struct slice body)
{
	const char *method = wanted->method ? wanted->method : body.size ? "POST" : "GET";
	FILE *out = open_memstream(&options->request, &options->request_bytes);
	char host[INET_ADDRSTRLEN];

	if (!out)
		return false;
	inet_ntop(AF_INET, &options->address.sin_addr, host, sizeof(host));
	fprintf(out, "%s %s HTTP/1.1\r\nHost: %s:%u\r\n", method, path, host, ntohs(options->address.sin_port));
	for (unsigned i = 0; i < wanted->header_count; i++)
		fprintf(out, "%s\r\n", wanted->headers[i]);
	if (body.size)
		fprintf(out, "Content-Length: %zu\r\n", body.size);
	fprintf(out, "\r\n");
	if (body.size)
		fwrite(body.data, 1, body.size, out);
	return fclose(out) == 0;
}

enum {
	OPTION_METHOD = 1000,
	OPTION_HEADER,
	OPTION_BODY,
	OPTION_DATA,
	OPTION_CONNECTIONS,
	OPTION_DURATION,
	OPTION_REQUESTS,
	OPTION_RATE,
	OPTION_TIMEOUT,
	OPTION_SSE,
	OPTION_ABORT,
	OPTION_CA,
	OPTION_FULL,
	OPTION_JSON
};

static bool take_number(struct options *options, int option, const char *text)
{
	double number;

	if (!read_number(text, 1e12, &number))
		return complain("not a number", text);
	switch (option) {
	case OPTION_CONNECTIONS:
		if (number < 1 || number > CONNECTIONS_MAX)
			return complain("connections out of range", text);
		options->connections = (unsigned)number;
		break;
	case OPTION_DURATION:
		options->duration_ns = (uint64_t)(number * 1e6) * 1000;
		break;
	case OPTION_REQUESTS:
		options->requests = (uint64_t)number;
		break;
	case OPTION_RATE:
		options->rate = number;
		break;
	case OPTION_TIMEOUT:
		options->timeout_ns = (uint64_t)(number * 1e6) * 1000;
		break;
	default:
		options->abort_after = number < UINT32_MAX ? (unsigned)number : UINT32_MAX;
		options->sse = true;
		break;
	}
	return true;
}

static bool take_option(struct options *options, struct wanted *wanted, int option, const char *text)
{
	switch (option) {
	case OPTION_METHOD:
		wanted->method = text;
		return true;
	case OPTION_HEADER:
		if (wanted->header_count == HEADERS_MAX)
			return complain("too many headers", text);
		wanted->headers[wanted->header_count++] = text;
		return true;
	case OPTION_BODY:
		wanted->body_path = text;
		return true;
	case OPTION_DATA:
		wanted->body_text = text;
		return true;
	case OPTION_SSE:
		options->sse = true;
		return true;
	case OPTION_CA:
		options->ca = text;
		return true;
	case OPTION_FULL:
		options->full_handshakes = true;
		return true;
	case OPTION_JSON:
		options->json = true;
		return true;
	case '?':
		fputs(usage, stderr);
		return false;
	default:
		return take_number(options, option, text);
	}
}

bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"method", 1, NULL, OPTION_METHOD},
		{"header", 1, NULL, OPTION_HEADER},
		{"body", 1, NULL, OPTION_BODY},
		{"data", 1, NULL, OPTION_DATA},
		{"connections", 1, NULL, OPTION_CONNECTIONS},
		{"duration", 1, NULL, OPTION_DURATION},
		{"requests", 1, NULL, OPTION_REQUESTS},
		{"rate", 1, NULL, OPTION_RATE},
		{"timeout", 1, NULL, OPTION_TIMEOUT},
		{"sse", 0, NULL, OPTION_SSE},
		{"abort-after-events", 1, NULL, OPTION_ABORT},
		{"json", 0, NULL, OPTION_JSON},
		{"ca", 1, NULL, OPTION_CA},
		{"full-handshakes", 0, NULL, OPTION_FULL},
		{NULL, 0, NULL, 0},
	};
	struct wanted wanted = {.method = NULL};
	const char *path;
	char *body = NULL;
	size_t size = 0;
	bool good;
	int option;

	*options = (struct options){.connections = 1, .timeout_ns = 5000000000};
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!take_option(options, &wanted, option, optarg))
			return false;
	if (optind + 1 != argc || !read_url(argv[optind], options, &path)) {
		fputs(usage, stderr);
		return false;
	}
	if (options->requests == 0 && options->duration_ns == 0)
		options->duration_ns = 5000000000;
	if (wanted.body_path && !read_body(wanted.body_path, &body, &size)) {
		free(body);
		return complain("cannot read", wanted.body_path);
	}
	if (wanted.body_text && !body)
		good = render(options, &wanted, path, slice_of_string(wanted.body_text));
	else
		good = render(options, &wanted, path, slice_of(body, size));
	free(body);
	return good || complain("cannot render", argv[optind]);
}
