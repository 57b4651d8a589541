/* mockllm's command line: opens listeners and shards, waits for SIGTERM or SIGINT, and ends in order. */
#include "tools/mockllm/mock.h"

#include "core/clock.h"
#include "core/kconfig.h"
#include "core/resolve.h"
#include "tls/server.h"
#include "tls/ticket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHARDS_MAX = 64, BACKLOG = 4096, ANSWER_BYTES = 156, RING_ENTRIES = 4096, BUFFERS = 2048, BUFFER_BYTES = 16384 };

static const char usage[] =
	"Usage: mockllm --listen ADDRESS:PORT [options]\n"
	"A provider simulator: a model's name chooses what it does, the path whose API it speaks. OpenAI, Anthropic: "
	"/v1;\n"
	"Gemini: /v1beta; Azure: /openai; Cohere: /v2; Mistral: /mistral/v1; Groq: /groq/openai/v1; Together: "
	"/together/v1.\n\n"
	"  --listen ADDRESS:PORT   where to listen; port 0 takes a free one and prints it\n"
	"  --shards N              threads (1)\n"
	"  --ttft-ms N             delay before an answer (0)\n"
	"  --tokens-per-second N   pace of an answer; 0: at once (0)\n"
	"  --cert FILE --key FILE  speak TLS, with these (PEM)\n"
	"  --answer-bytes N        text of an answer (156, which makes about 700 bytes of JSON)\n\n"
	"Models: mock, with any of -events-N -paced-MS -status-NNN -retry-after-S -refuse -reset -stall-head\n"
	"-stall-body -truncated -invalid-json -drip -cut -no-done -error-event -large-KB -no-usage -tool\n"
	"-slow-MS -split -parallel -empty-input -thinking -cached -error-first -json\n"
	"GET /mock/stats counts; GET /mock/last?path=/v1/chat/completions is the last body that came.\n";

static bool parse_number(const char *text, uint64_t most, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && *text >= '0' && *text <= '9' && !*end && *number <= most;
}

static bool parse_listen(const char *text, struct sockaddr_storage *address)
{
	const char *colon = strrchr(text, ':');
	struct slice host;
	uint64_t port;

	if (!colon || !parse_number(colon + 1, UINT16_MAX, &port))
		return false;
	host = slice_of(text, (size_t)(colon - text));
	if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
		host = slice_of(host.data + 1, host.size - 2);
	return resolve_literal(host, (uint16_t)port, address);
}

static bool parse_options(int argc, char **argv, struct mock_options *o)
{
	enum { LISTEN, SHARDS, TTFT, PACE, BYTES, CERT, KEY };
	static const struct option known[] = {
		{"listen", required_argument, NULL, LISTEN},
		{"shards", required_argument, NULL, SHARDS},
		{"ttft-ms", required_argument, NULL, TTFT},
		{"tokens-per-second", required_argument, NULL, PACE},
		{"answer-bytes", required_argument, NULL, BYTES},
		{"cert", required_argument, NULL, CERT},
		{"key", required_argument, NULL, KEY},
		{0},
	};
	uint64_t n;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		bool good;

		if (option == '?')
			return false;
		if (option == CERT || option == KEY) {
			*(option == CERT ? &o->cert : &o->key) = optarg;
			continue;
		}
		good = option == LISTEN ? parse_listen(optarg, &o->listen) : parse_number(optarg, 1u << 30, &n);
		if (!good || (option == SHARDS && (n == 0 || n > SHARDS_MAX))) {
			fprintf(stderr, "mockllm: bad value for --%s: %s\n", known[option].name, optarg);
			return false;
		}
		if (option == SHARDS)
			o->shards = (unsigned)n;
		else if (option == TTFT)
			o->ttft_ns = n * NS_PER_MS;
		else if (option == PACE)
			o->interval_ns = n ? NS_PER_S / n : 0;
		else if (option == BYTES)
			o->answer_words = (uint32_t)(n / MOCK_WORD_BYTES + (n % MOCK_WORD_BYTES != 0));
	}
	return optind == argc && o->listen.ss_family && !o->cert == !o->key;
}

static void on_quit(struct letter *letter)
{
	mock_quit(container_of(letter, struct mock_shard, quit_letter));
}

static void on_start(struct shard *shard)
{
	mock_listen(shard->user);
}

static int open_tls(struct mock_shard *mock)
{
	mock->tls.server = tls_server_borrow(mock->options->tls);
	return tls_worker_open(&mock->tls.worker, &mock->shard);
}

static int open_shard(
	struct mock_shard *mock, unsigned index, const struct mock_options *options, struct mock_record *record)
{
	struct shard_options shard_options = {
		.name = "mock",
		.index = index,
		.cpu = -1,
		.seed = index,
		.ring = {.entry_count = RING_ENTRIES, .buffer_count = BUFFERS, .buffer_bytes = BUFFER_BYTES},
		.on_start = on_start,
		.user = mock,
	};
	char why[256] = "";
	int rc = shard_open(&mock->shard, &shard_options, why, sizeof(why));

	if (rc < 0) {
		fprintf(stderr, "mockllm: %s\n", why);
		return rc;
	}
	mock->options = options;
	mock->record = record;
	mock->quit_letter.open = on_quit;
	if (CONFIG(TLS) && options->tls && (rc = open_tls(mock)) < 0) {
		fprintf(stderr, "mockllm: %s\n", strerror(-rc));
		return rc;
	}
	mock->json = json_parser_open(MOCK_BODY_MAX_BYTES);
	mock->listener = mock->json ? ring_listen(mock->shard.ring, &options->listen, BACKLOG, true) : -ENOMEM;
	if (mock->listener < 0)
		fprintf(stderr, "mockllm: listening: %s\n", strerror(-mock->listener));
	return mock->listener < 0 ? mock->listener : 0;
}

/* With port 0 the first listener chose one; the others join it. */
static void learn_port(struct mock_options *options, int listener)
{
	socklen_t bytes = sizeof(options->listen);

	getsockname(listener, (struct sockaddr *)&options->listen, &bytes);
}

static void say_where(const struct mock_options *options)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (options->listen.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&options->listen;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		printf("listening on [%s]:%u\n", host, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const void *)&options->listen;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		printf("listening on %s:%u\n", host, ntohs(in->sin_port));
	}
	fflush(stdout);
}

static void end_shard(struct mock_shard *mock)
{
	shard_post(&mock->shard, &mock->quit_letter, NULL);
	shard_join(&mock->shard);
	ring_close_socket(mock->shard.ring, mock->listener, false);
	json_parser_close(mock->json);
	if (CONFIG(TLS)) {
		tls_server_give(&mock->tls.server);
		tls_worker_close(mock->tls.worker);
	}
	shard_close(&mock->shard);
}

/* Signals are blocked in every thread and waited for in this one. */
static int run(struct mock_options *options, struct mock_shard *shards, struct mock_record *record)
{
	sigset_t signals;
	int got;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	for (unsigned i = 0; i < options->shards; i++) {
		if (open_shard(&shards[i], i, options, record) < 0)
			return EXIT_FAILURE;
		if (i == 0)
			learn_port(options, shards[i].listener);
	}
	for (unsigned i = 0; i < options->shards; i++)
		if (shard_start(&shards[i].shard) < 0)
			return EXIT_FAILURE;
	say_where(options);
	sigwait(&signals, &got);
	for (unsigned i = 0; i < options->shards; i++)
		end_shard(&shards[i]);
	return EXIT_SUCCESS;
}

static bool load_certificate(struct mock_options *options)
{
	struct tls_key_pair pair = {options->cert, options->key};
	struct tls_server_options server = {.pairs = &pair, .pair_count = 1, .allow_12 = true};
	char why[512] = "TLS is not in this build";

	if (CONFIG(TLS))
		server.tickets = options->tickets = tls_tickets_make();
	if (CONFIG(TLS) && tls_server_make(&options->tls, &server, why, sizeof(why)) == 0)
		return true;
	fprintf(stderr, "mockllm: %s\n", why);
	return false;
}

int main(int argc, char **argv)
{
	struct mock_options options = {
		.shards = 1,
		.answer_words = ANSWER_BYTES / MOCK_WORD_BYTES,
	};
	struct mock_shard *shards;
	struct mock_record *record;
	int result = EXIT_FAILURE;

	if (!parse_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (options.cert && !load_certificate(&options))
		return EXIT_FAILURE;
	shards = calloc(options.shards, sizeof(*shards));
	record = mock_record_open();
	if (shards && record)
		result = run(&options, shards, record);
	if (record)
		mock_record_close(record);
	free(shards);
	if (CONFIG(TLS)) {
		tls_server_give(&options.tls);
		tls_tickets_free(options.tickets);
	}
	return result;
}
