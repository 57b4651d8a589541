/*
 * `tollgate run`: one process's life. The main thread is the control thread: it reads the configuration, opens store,
 * resolver and shards, then waits for signals and writes the log.
 *
 * Signals are blocked in every thread and taken by sigtimedwait() here, so that no code ever runs in a signal handler.
 *   SIGTERM, SIGINT  drain: refuse new calls, finish what is in flight up to drain_timeout_ms; a second one breaks off
 * at once SIGHUP           read the configuration again; a broken one is refused and the old one stays
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/heap.h"
#include "core/kconfig.h"
#include "route/gateway/gateway_tls.h"
#include "route/gateway/node.h"
#include "tools/cli.h"
#include "tools/run_addresses.h"

enum {
	LOG_FLUSH_MS = 50,  /* how long a log record waits at most, while there are some */
	LOG_QUIET_MS = 250, /* and the first after a quiet time: an idle gateway should seldom wake */
	RING_ENTRIES = 1024,
	NODE_NAME_MAX = 64,
	SERVICE_THREADS_MAX = 32, /* beside the shards: control, store, the database's own */
};

struct run {
	const char *config_path;
	uint32_t ring_without;
	struct node *node;
	unsigned shard_count;
	sem_t started; /* posted once by each shard */
	char name[NODE_NAME_MAX + 1];
	uint64_t drain_timeout_ns;
	sigset_t signals;
};

/* What is said while serving is not worth waiting for whoever does not read it: signals are taken in between. */
static bool can_say(void)
{
	struct pollfd sink = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&sink, 1, 0) != 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list arguments;

	if (!can_say())
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
}

static void complain(void *context, unsigned line, unsigned column, const char *message)
{
	const char *path = context;

	if (line)
		say("%s:%u:%u: %s\n", path, line, column, message);
	else
		say("%s: %s\n", path, message);
}

static void warn(void *context, unsigned line, unsigned column, const char *message)
{
	say("%s:%u:%u: warning: %s\n", (const char *)context, line, column, message);
}

static const char help[] =
	"usage: tollgate run -c FILE [--ring-without LIST]\n"
	"\n"
	"Serves in the foreground. SIGTERM or SIGINT drains: new calls are refused, /readyz is 503, what is in flight "
	"is finished,\n"
	"up to drain_timeout_ms; a second one ends at once. SIGHUP reads FILE again without dropping a connection.\n"
	"\n"
	"  -c, --config FILE      the configuration (YAML); try it first with `tollgate check -c FILE`\n"
	"      --ring-without LIST  do as if the kernel lacked these: a comma-separated list of no_sqarray, "
	"socket_options,\n"
	"                       receive_limit, or all\n"
	"  -h, --help             this text\n";

/* 0: go on; 1: help was asked for; -1: usage error, said. */
static int read_options(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"ring-without", required_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};

	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			run->config_path = optarg;
			break;
		case 'w':
			if (ring_features_parse(optarg, &run->ring_without) < 0) {
				fprintf(stderr, "tollgate run: --ring-without: unknown feature in \"%s\"\n", optarg);
				return -1;
			}
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			fputs(help, stderr);
			return -1;
		}
	}
	if (!run->config_path || optind != argc) {
		fputs(help, stderr);
		return -1;
	}
	return 0;
}

/* Raises what may be raised; what is missing shows as a clear error when it is needed. Cores could hold keys: none are
 * written. */
static void set_limits(void)
{
	struct rlimit files, none = {0, 0}, locked = {RLIM_INFINITY, RLIM_INFINITY};

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_MEMLOCK, &locked);
	setrlimit(RLIMIT_CORE, &none);
	if (!CONFIG(SANITIZE)) /* the leak sanitizer looks at its own process from outside */
		prctl(PR_SET_DUMPABLE, 0);
}

static unsigned usable_cpus(int *list, unsigned capacity)
{
	cpu_set_t set;
	unsigned count = 0;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && count < capacity; cpu++)
		if (CPU_ISSET((size_t)cpu, &set))
			list[count++] = cpu;
	return count;
}

static void find_name(struct run *run)
{
	if (gethostname(run->name, NODE_NAME_MAX) < 0 || !run->name[0])
		memcpy(run->name, "local", sizeof("local"));
	run->name[NODE_NAME_MAX] = '\0';
}

static void on_shard_started(void *context)
{
	sem_post(&((struct run *)context)->started);
}

static int open_node(struct run *run, struct settings *settings, char *why, size_t why_bytes)
{
	struct node_options options = {.name = run->name,
		.secret = getenv("TOLLGATE_KEK"),
		.previous_secret = getenv("TOLLGATE_KEK_PREVIOUS"),
		.settings = settings,
		.shard_count = run->shard_count,
		.journal_bytes = CONFIG_JOURNAL_BYTES,
		.ring = {.entry_count = RING_ENTRIES,
			.buffer_count = CONFIG_RECEIVE_BUFFERS,
			.buffer_bytes = CONFIG_RECEIVE_BUFFER_BYTES,
			.without = run->ring_without},
		.arena_blocks_kept = CONFIG_ARENA_BLOCKS_KEPT,
		.log_fd = STDERR_FILENO,
		.shard_started = on_shard_started,
		.context = run};
	int cpus[GATEWAY_SHARDS_MAX];
	unsigned cpu_count = usable_cpus(cpus, GATEWAY_SHARDS_MAX);
	int rc = run_addresses_try(settings, why, why_bytes);

	if (rc < 0) {
		settings_free(settings);
		return rc;
	}
	rc = node_open(&run->node, &options, why, why_bytes);
	for (unsigned i = 0; rc == 0 && i < run->shard_count; i++) {
		rc = node_start_shard(run->node, i, run->shard_count <= cpu_count ? cpus[i] : -1, why, why_bytes);
		if (rc < 0)
			return rc;
		while (sem_wait(&run->started) < 0)
			assert(errno == EINTR);
		rc = node_start_result(run->node, i, why, why_bytes);
	}
	return rc;
}

static bool same_listeners(const struct settings *a, const struct settings *b)
{
	if (a->listener_count != b->listener_count || a->admin_has_address != b->admin_has_address ||
		memcmp(&a->admin_address, &b->admin_address, sizeof(a->admin_address)) != 0)
		return false;
	for (unsigned i = 0; i < a->listener_count; i++)
		if (a->listeners[i].has_tls != b->listeners[i].has_tls ||
			memcmp(&a->listeners[i].address, &b->listeners[i].address, sizeof(a->listeners[i].address)) !=
				0)
			return false;
	return true;
}

/* What was opened at the start stays as it is until the next one, and who changed it is told so. */
static void warn_of_restart(const struct settings *old, const struct settings *new)
{
	const struct {
		const char *name;
		bool same;
	} fields[] = {
		{"listen and admin.address", same_listeners(old, new)},
		{"data_dir", strcmp(old->data_dir, new->data_dir) == 0},
		{"durability", old->durability == new->durability},
		{"shards", old->shards == new->shards},
	};

	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!fields[i].same)
			say("tollgate: warning: %s changed, which needs a restart\n", fields[i].name);
}

static void say_warning(void *context, const char *line)
{
	(void)context;
	say("tollgate: warning: %s\n", line);
}

static void warn_of_certificates(const struct run *run)
{
	int64_t now_s = (int64_t)(clock_wall_ns() / NS_PER_S);

	if (CONFIG(TLS))
		gateway_tls_warn(node_tls(run->node), node_settings(run->node), now_s, say_warning, NULL);
}

static void reload(struct run *run)
{
	struct settings *settings =
		settings_load(run->config_path, complain, warn, (void *)(uintptr_t)run->config_path);
	char why[512];
	int rc;

	if (!settings) {
		say("tollgate: the configuration was not changed: %s has errors\n", run->config_path);
		return;
	}
	warn_of_restart(node_settings(run->node), settings);
	rc = node_reload(run->node, settings, why, sizeof(why));
	if (rc < 0) {
		say("tollgate: the configuration was not changed: %s\n", why);
		return;
	}
	warn_of_certificates(run);
	run->drain_timeout_ns = node_settings(run->node)->drain_timeout_ns;
	say("tollgate: configuration reloaded\n");
}

/* The next signal, or 0 after `wait_ms`. The log is flushed; *flushed is how many records that were. */
static int next_signal(struct run *run, unsigned wait_ms, unsigned *flushed)
{
	struct timespec wait = {.tv_nsec = wait_ms * (long)NS_PER_MS};
	int signal_number = sigtimedwait(&run->signals, NULL, &wait);
	struct log *log = node_gateway(run->node)->log;

	*flushed = log ? log_flush(log) : 0;
	return signal_number > 0 ? signal_number : 0;
}

static void serve(struct run *run)
{
	unsigned flushed = 0;

	for (;;) {
		int signal_number = next_signal(run, flushed ? LOG_FLUSH_MS : LOG_QUIET_MS, &flushed);

		if (signal_number == SIGHUP)
			reload(run);
		else if (signal_number)
			return;
	}
}

static void drain(struct run *run)
{
	struct gateway *gateway = node_gateway(run->node);
	uint64_t deadline_ns = clock_monotonic_ns() + run->drain_timeout_ns;
	bool aborted = false;
	unsigned flushed;

	say("tollgate: draining\n");
	gateway_drain(gateway);
	while (!gateway_drained(gateway)) {
		int signal_number = next_signal(run, LOG_FLUSH_MS, &flushed);
		bool now = signal_number == SIGTERM || signal_number == SIGINT;

		if (!aborted && (now || clock_monotonic_ns() >= deadline_ns)) {
			gateway_abort(gateway);
			aborted = true;
		}
	}
}

static void say_ready(const struct run *run)
{
	const struct settings *settings = node_settings(run->node);
	unsigned listeners = settings->listener_count + settings->admin_has_address;
	char features[128];

	ring_features_name(ring_features(node_shard(run->node, 0)->ring), features, sizeof(features));
	fprintf(stderr, "tollgate %s: %u shard%s, %u listener%s, io_uring with %s; ready\n", TOLLGATE_VERSION,
		run->shard_count, run->shard_count == 1 ? "" : "s", listeners, listeners == 1 ? "" : "s",
		features[0] ? features : "nothing newer than Linux 6.1");
}

/* A half-opened gateway is drained like a whole one, so that every shard lets go of what it holds. */
static void abandon(struct run *run)
{
	struct gateway *gateway = node_gateway(run->node);
	unsigned flushed;

	gateway_drain(gateway);
	gateway_abort(gateway);
	while (!gateway_drained(gateway))
		next_signal(run, LOG_FLUSH_MS, &flushed);
}

int cli_run(int argc, char **argv)
{
	struct run run = {.shard_count = 0};
	struct settings *settings;
	int cpus[GATEWAY_SHARDS_MAX];
	char why[512] = "out of memory";
	int rc = read_options(&run, argc, argv);

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	sem_init(&run.started, 0, 0);
	sigemptyset(&run.signals);
	sigaddset(&run.signals, SIGTERM);
	sigaddset(&run.signals, SIGINT);
	sigaddset(&run.signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &run.signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	set_limits();
	settings = settings_load(run.config_path, complain, warn, (void *)(uintptr_t)run.config_path);
	if (!settings)
		return 1;
	run.drain_timeout_ns = settings->drain_timeout_ns;
	run.shard_count = settings->shards ? settings->shards : usable_cpus(cpus, GATEWAY_SHARDS_MAX);
	run.shard_count = run.shard_count ? run.shard_count : 1;
	heap_set_up(run.shard_count + SERVICE_THREADS_MAX);
	find_name(&run);
	rc = open_node(&run, settings, why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "tollgate: cannot start: %s\n", why);
		if (run.node)
			abandon(&run);
	} else {
		heap_settle();
		warn_of_certificates(&run);
		say_ready(&run);
		serve(&run);
		drain(&run);
	}
	if (run.node) {
		node_stop(run.node);
		node_close(run.node);
	}
	sem_destroy(&run.started);
	return rc < 0 ? 1 : 0;
}
