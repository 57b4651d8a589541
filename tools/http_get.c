/*
 * The blocking half of the command line's HTTP: address, connection, request, and reading until the other side closes.
 */
#include "tools/http_get.h"

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
	char host[256], port[8], prefix[512], authority[300];
};

static int parse_base(const char *base, struct target *target, char *why)
{
	const char *rest = base + 7, *slash, *colon, *host_end;
	size_t authority_bytes;

	if (strncmp(base, "http://", 7) != 0) {
		snprintf(why, HTTP_GET_WHY_BYTES,
			"--url must be http://HOST[:PORT] of a listener without tls, not %.100s", base);
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
		snprintf(target->port, sizeof(target->port), "80");
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

static int send_request(int fd, const struct target *target, const char *path, const char *bearer)
{
	static const char form[] = "GET %s%s HTTP/1.1\r\nhost: %s\r\naccept: application/json\r\nconnection: close\r\n"
				   "%s%s%s\r\n";
	char *request = NULL;
	int size = asprintf(&request, form, target->prefix, path, target->authority,
		bearer ? "authorization: Bearer " : "", bearer ? bearer : "", bearer ? "\r\n" : "");
	int rc = 0, sent = 0;

	if (size < 0)
		return -ENOMEM;
	while (sent < size && rc == 0) {
		ssize_t n = send(fd, request + sent, (size_t)(size - sent), MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		if (n > 0)
			sent += (int)n;
	}
	explicit_bzero(request, (size_t)size);
	free(request);
	return rc;
}

/* Until the other side closes. *bytes has HTTP_GET_PADDING bytes of room behind *size. */
static int read_all(int fd, char **bytes, size_t *size)
{
	size_t capacity = 65536;
	char *memory = malloc(capacity + HTTP_GET_PADDING), *larger;

	*size = 0;
	while (memory) {
		ssize_t n = recv(fd, memory + *size, capacity - *size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || *size + (size_t)n > HTTP_GET_BYTES_MAX) {
			int rc = n < 0 ? -errno : -EFBIG;

			free(memory);
			return rc == -EAGAIN ? -ETIMEDOUT : rc;
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

int http_get(const char *base, const char *path, const char *bearer, struct http_answer *answer,
	char why[static HTTP_GET_WHY_BYTES])
{
	const char *reason;
	struct target target;
	char *bytes = NULL;
	size_t size = 0;
	int fd, rc = parse_base(base, &target, why);

	if (rc < 0)
		return rc;
	if (!is_header_value(bearer) || !is_header_value(target.prefix)) {
		snprintf(why, HTTP_GET_WHY_BYTES, "the key and the URL may not hold control characters");
		return -EINVAL;
	}
	fd = connect_to(&target, why);
	if (fd < 0)
		return fd;
	rc = send_request(fd, &target, path, bearer);
	if (rc == 0)
		rc = read_all(fd, &bytes, &size);
	if (rc < 0)
		snprintf(why, HTTP_GET_WHY_BYTES, "%.100s: %s", target.authority, strerror(-rc));
	close(fd);
	if (rc < 0)
		return rc;
	rc = http_answer_parse(bytes, size, answer, &reason);
	if (rc < 0) {
		snprintf(why, HTTP_GET_WHY_BYTES, "%.100s: %s", target.authority, reason);
		free(bytes);
	}
	return rc;
}
