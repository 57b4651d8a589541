/*
 * The blocking half of the command line's HTTP: address, connection, request, and reading until the other side closes.
 */
#include "tools/http_get.h"

#include "core/kconfig.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 30 };

struct target {
	bool https;
	char host[256], port[8], prefix[512], authority[300];
};

struct connection {
	int fd;
	struct http_tls_peer *peer;
	struct http_tls *tls; /* NULL: plain */
};

/* What follows the scheme; NULL: it has none of ours. */
static const char *after_scheme(const char *base, struct target *target)
{
	target->https = CONFIG(TLS) && strncmp(base, "https://", 8) == 0;
	if (target->https)
		return base + 8;
	return strncmp(base, "http://", 7) == 0 ? base + 7 : NULL;
}

static int parse_base(const char *base, struct target *target, char *why)
{
	const char *rest = after_scheme(base, target), *slash, *colon, *host_end;
	size_t authority_bytes;

	if (!rest) {
		snprintf(why, HTTP_GET_WHY_BYTES, "--url must be %s://HOST[:PORT], not %.100s",
			CONFIG(TLS) ? "http or https" : "http", base);
		return -EINVAL;
	}
	slash = rest + strcspn(rest, "/");
	authority_bytes = (size_t)(slash - rest);
	snprintf(target->authority, sizeof(target->authority), "%.*s", (int)authority_bytes, rest);
	host_end = *rest == '[' ? memchr(rest, ']', authority_bytes) : NULL;
	colon = memchr(host_end ? host_end : rest, ':', (size_t)(slash - (host_end ? host_end : rest)));
	if (colon)
		snprintf(target->port, sizeof(target->port), "%.*s", (int)(slash - colon - 1), colon + 1);
	else
		snprintf(target->port, sizeof(target->port), "%s", target->https ? "443" : "80");
	if (host_end)
		rest++;
	else
		host_end = colon ? colon : slash;
	snprintf(target->host, sizeof(target->host), "%.*s", (int)(host_end - rest), rest);
	snprintf(target->prefix, sizeof(target->prefix), "%s", slash);
	for (size_t size = strlen(target->prefix); size && target->prefix[size - 1] == '/'; size--)
		target->prefix[size - 1] = '\0';
	if (*target->host && authority_bytes < sizeof(target->host) && strlen(slash) < sizeof(target->prefix))
		return 0;
	snprintf(why, HTTP_GET_WHY_BYTES, "--url \"%.100s\" names no host", base);
	return -EINVAL;
}

static int connect_one(const struct addrinfo *info)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol), rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, info->ai_addr, info->ai_addrlen) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int connect_to(const struct target *target, char *why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list;
	int rc = getaddrinfo(target->host, target->port, &hints, &list), fd = -ENOENT;

	if (rc != 0) {
		snprintf(why, HTTP_GET_WHY_BYTES, "%.100s: %s", target->authority, gai_strerror(rc));
		return -ENOENT;
	}
	for (struct addrinfo *info = list; info && fd < 0; info = info->ai_next)
		fd = connect_one(info);
	freeaddrinfo(list);
	if (fd < 0)
		snprintf(why, HTTP_GET_WHY_BYTES, "cannot connect to %.100s: %s; is the gateway running there?",
			target->authority, strerror(-fd));
	return fd;
}

/* 0 or -errno. */
static int send_all(const struct connection *c, const char *bytes, size_t size)
{
	if (CONFIG(TLS) && c->tls)
		return http_tls_send(c->tls, bytes, size);
	while (size) {
		ssize_t n = send(c->fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* How many; 0 at the end; -errno. */
static ssize_t receive(const struct connection *c, char *bytes, size_t capacity)
{
	ssize_t n;

	do {
		if (CONFIG(TLS) && c->tls)
			n = http_tls_receive(c->tls, bytes, capacity);
		else if ((n = recv(c->fd, bytes, capacity, 0)) < 0)
			n = -errno;
	} while (n == -EINTR);
	return n == -EAGAIN ? -ETIMEDOUT : n;
}

static int send_request(const struct connection *c, const struct target *target, const struct http_question *q)
{
	static const char form[] = "%s %s%s HTTP/1.1\r\nhost: %s\r\naccept: application/json\r\nconnection: close\r\n"
				   "%s%s%s%s\r\n%s";
	char *request = NULL, length[96] = "";
	int size, rc;

	if (q->json)
		snprintf(length, sizeof(length), "content-type: application/json\r\ncontent-length: %zu\r\n",
			strlen(q->json));
	size = asprintf(&request, form, q->method, target->prefix, q->path, target->authority,
		q->bearer ? "authorization: Bearer " : "", q->bearer ? q->bearer : "", q->bearer ? "\r\n" : "", length,
		q->json ? q->json : "");
	if (size < 0)
		return -ENOMEM;
	rc = send_all(c, request, (size_t)size);
	explicit_bzero(request, (size_t)size);
	free(request);
	return rc;
}

/* Until the other side closes. *bytes has HTTP_GET_PADDING bytes of room behind *size. */
static int read_all(const struct connection *c, char **bytes, size_t *size)
{
	size_t capacity = 65536;
	char *memory = malloc(capacity + HTTP_GET_PADDING), *larger;

	*size = 0;
	while (memory) {
		ssize_t n = receive(c, memory + *size, capacity - *size);

		if (n < 0 || *size + (size_t)n > HTTP_GET_BYTES_MAX) {
			free(memory);
			return n < 0 ? (int)n : -EFBIG;
		}
		if (n == 0) {
			*bytes = memory;
			return 0;
		}
		*size += (size_t)n;
		if (*size < capacity)
			continue;
		capacity *= 2;
		larger = realloc(memory, capacity + HTTP_GET_PADDING);
		if (!larger)
			free(memory);
		memory = larger;
	}
	return -ENOMEM;
}

/* A key with a line break in it would be two headers. */
static bool is_header_value(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void close_connection(struct connection *c)
{
	if (CONFIG(TLS)) {
		http_tls_close(c->tls);
		http_tls_peer_close(c->peer);
	}
	close(c->fd);
}

static int open_connection(struct connection *c, const struct target *target, const struct http_trust *trust, char *why)
{
	char cause[HTTP_GET_WHY_BYTES - 128];
	int rc;

	*c = (struct connection){.fd = connect_to(target, why)};
	if (c->fd < 0 || !CONFIG(TLS) || !target->https)
		return c->fd < 0 ? c->fd : 0;
	rc = http_tls_peer_open(&c->peer, target->host, trust, cause, sizeof(cause));
	if (rc == 0)
		rc = http_tls_open(&c->tls, c->fd, c->peer, cause, sizeof(cause));
	if (rc == 0)
		return 0;
	snprintf(why, HTTP_GET_WHY_BYTES, "%.100s: %s", target->authority, cause);
	close_connection(c);
	return rc;
}

int http_ask(const char *base, const struct http_trust *trust, const struct http_question *question,
	struct http_answer *answer, char why[static HTTP_GET_WHY_BYTES])
{
	const char *reason;
	struct target target;
	struct connection connection;
	char *bytes = NULL;
	size_t size = 0;
	int rc = parse_base(base, &target, why);

	if (rc < 0)
		return rc;
	if (!is_header_value(question->bearer) || !is_header_value(target.prefix)) {
		snprintf(why, HTTP_GET_WHY_BYTES, "the key and the URL may not hold control characters");
		return -EINVAL;
	}
	rc = open_connection(&connection, &target, trust, why);
	if (rc < 0)
		return rc;
	rc = send_request(&connection, &target, question);
	if (rc == 0)
		rc = read_all(&connection, &bytes, &size);
	if (rc < 0)
		snprintf(why, HTTP_GET_WHY_BYTES, "%.100s: %s", target.authority, strerror(-rc));
	close_connection(&connection);
	if (rc < 0)
		return rc;
	rc = http_answer_parse(bytes, size, answer, &reason);
	if (rc < 0) {
		snprintf(why, HTTP_GET_WHY_BYTES, "%.100s: %s", target.authority, reason);
		free(bytes);
	}
	return rc;
}
