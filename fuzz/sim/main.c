/*
 * build/sim: runs seeds, a few in a process, so that one that crashes is a failed seed like others, and what killed
 * gateways leave in memory goes with it. Nothing is printed of a seed that holds.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/kconfig.h"
#include "fuzz/sim/certificates.h"
#include "fuzz/sim/scenario.h"

enum {
	WORKERS_MAX = 64,
	FAILURES_SHOWN = 10,
	LAST_EVENTS = 24,
	/* In one process: memory is touched for the first time by the first of them only, a fifth of the cost. Where
	 * leaks are looked for, each is alone. */
	SEEDS_TOGETHER = CONFIG(SANITIZE) ? 1 : 8,
	MEMORY_KEPT_BYTES = 1 << 30, /* that is, all that was freed */
};

struct options {
	uint64_t from, to;
	bool one, trace, until_broken;
	unsigned workers;
	struct certificates *certificates; /* NULL: the gateway was built without TLS */
};

struct worker {
	pid_t pid; /* 0: none */
	int pipe;
	uint64_t seed, end; /* the next one, and the one behind its last */
};

struct totals {
	uint64_t seeds, failed, requests, served, crashes, receipts, outrun, hedging, events;
	uint64_t first_failed;
};

static const char help[] =
	"usage: sim --seed N [--trace] | --seeds FROM-TO [-j N] [--until-broken]\n"
	"\n"
	"Runs histories of gateways, clients and providers in a simulated world; a seed is one history, the same each "
	"time.\n"
	"\n"
	"  --seed N          that one, in this process; tells its hash\n"
	"  --trace           prints its last events\n"
	"  --seeds FROM-TO   all of these (TO included), each in a process of its own\n"
	"  -j N              so many at once (default: the processors)\n"
	"  --until-broken    ends with the first seed that breaks an invariant, as a success: for planted faults\n";

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool read_number(const char *text, const char **end, uint64_t *number)
{
	char *behind;

	errno = 0;
	*number = strtoull(text, &behind, 10);
	*end = behind;
	return errno == 0 && behind > text && text[0] != '-';
}

static bool read_range(const char *text, struct options *options)
{
	const char *end;

	return read_number(text, &end, &options->from) && *end == '-' && read_number(end + 1, &end, &options->to) &&
	       !*end && options->to >= options->from;
}

static bool read_options(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 'r'}, {"trace", no_argument, NULL, 't'},
		{"until-broken", no_argument, NULL, 'u'}, {"jobs", required_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	bool good = argc > 1;
	const char *end;
	uint64_t number;

	for (int c; (c = getopt_long(argc, argv, "j:", names, NULL)) != -1;) {
		switch (c) {
		case 's':
			options->one = true;
			good = good && read_number(optarg, &end, &options->from) && !*end;
			break;
		case 'r':
			good = good && read_range(optarg, options);
			break;
		case 't':
			options->trace = true;
			break;
		case 'u':
			options->until_broken = true;
			break;
		case 'j':
			good = good && read_number(optarg, &end, &number) && !*end && number >= 1 &&
			       number <= WORKERS_MAX;
			options->workers = good ? (unsigned)number : 1;
			break;
		default:
			good = false;
		}
	}
	return good && optind == argc;
}

/* ---- One seed ---- */

/* A crash of the gateway or of the world is a broken invariant too: the last events tell how it came to it. */
static void on_crash(int number)
{
	signal(number, SIG_DFL);
	scenario_print_current(stderr);
	raise(number);
}

static void catch_crashes(void)
{
	static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		signal(numbers[i], on_crash);
}

static void say_failed(const char *program, uint64_t seed, const struct verdict *verdict)
{
	printf("seed %" PRIu64 ": %s: %s\n  replay: %s --seed %" PRIu64 " --trace\n", seed, verdict->broken,
		verdict->how, program, seed);
}

/* A leak checker speaks up at the end; of what a killed gateway left nobody asks. */
static _Noreturn void leave(const struct verdict *verdict, int status)
{
	fflush(stdout);
	if (verdict->crashes || verdict->broken[0])
		_exit(status);
	exit(status);
}

static _Noreturn void run_one(const char *program, const struct options *options)
{
	struct verdict verdict;

	catch_crashes();
	verdict = scenario_run(options->from, options->certificates, options->trace ? stdout : NULL, true);
	if (verdict.broken[0])
		say_failed(program, options->from, &verdict);
	printf("seed %" PRIu64 ": %" PRIu64 " requests, %" PRIu64 " served, %" PRIu64 " receipts, %" PRIu64
	       " outrun, %" PRIu64 " crashes, %" PRIu64 " events, hash %016" PRIx64 "\n",
		options->from, verdict.requests, verdict.served, verdict.receipts, verdict.outrun, verdict.crashes,
		verdict.events, verdict.hash);
	leave(&verdict, verdict.broken[0] ? 1 : 0);
}

/* ---- Many ---- */

/* Where the last `lines` lines of a text begin. */
static const char *last_lines(const char *text, size_t size, unsigned lines)
{
	const char *at = text + size;

	for (; at > text && lines > 0; lines -= at > text && at[-1] == '\n')
		at--;
	return at;
}

static struct verdict run_quietly(uint64_t seed, const struct certificates *certificates)
{
	char *text = NULL;
	size_t size = 0;
	FILE *trace = open_memstream(&text, &size);
	struct verdict verdict = scenario_run(seed, certificates, trace, false);

	if (trace)
		fclose(trace);
	if (size)
		printf("the last events of seed %" PRIu64 ":\n%s", seed, last_lines(text, size, LAST_EVENTS + 1));
	free(text);
	fflush(stdout);
	return verdict;
}

/* Tells of each seed as it ends. */
static _Noreturn void work(const struct worker *worker, int to, const struct certificates *certificates)
{
	struct verdict verdict = {0}, all = {0};

	mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_BYTES);
	for (uint64_t seed = worker->seed; seed < worker->end; seed++) {
		verdict = run_quietly(seed, certificates);
		all.crashes += verdict.crashes;
		memcpy(all.broken, verdict.broken[0] ? verdict.broken : all.broken, sizeof(all.broken));
		if (write(to, &verdict, sizeof(verdict)) != sizeof(verdict))
			_exit(1);
	}
	leave(&all, 0);
}

static void start_worker(struct worker *worker, const struct certificates *certificates)
{
	int ends[2], rc = pipe(ends);

	assert(rc == 0);
	fflush(stdout);
	worker->pipe = ends[0];
	worker->pid = fork();
	assert(worker->pid >= 0);
	if (worker->pid > 0) {
		close(ends[1]);
		return;
	}
	close(ends[0]);
	if (!freopen("/dev/null", "w", stderr)) /* what crashes is told by its parent, and replayed to be seen */
		_exit(1);
	work(worker, ends[1], certificates);
}

static struct verdict crashed(int status)
{
	struct verdict verdict = {0};

	snprintf(verdict.broken, sizeof(verdict.broken), "nothing crashes");
	snprintf(verdict.how, sizeof(verdict.how), WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return verdict;
}

static void add(struct totals *totals, const struct verdict *verdict)
{
	totals->seeds++;
	totals->requests += verdict->requests;
	totals->served += verdict->served;
	totals->crashes += verdict->crashes;
	totals->receipts += verdict->receipts;
	totals->outrun += verdict->outrun;
	totals->hedging += verdict->outrun != 0;
	totals->events += verdict->events;
}

static void note_failure(struct totals *totals, const char *program, uint64_t seed, const struct verdict *verdict)
{
	if (!totals->failed++ || seed < totals->first_failed)
		totals->first_failed = seed;
	if (totals->failed <= FAILURES_SHOWN)
		say_failed(program, seed, verdict);
}

/* Of a worker that has ended: what it told, and the seed with which it crashed. */
static void take_verdicts(struct worker *worker, int status, struct totals *totals, const char *program)
{
	struct verdict verdict;

	while (read(worker->pipe, &verdict, sizeof(verdict)) == sizeof(verdict)) {
		add(totals, &verdict);
		if (verdict.broken[0])
			note_failure(totals, program, worker->seed, &verdict);
		worker->seed++;
	}
	close(worker->pipe);
	worker->pid = 0;
	if (worker->seed < worker->end || status) {
		verdict = crashed(status);
		add(totals, &verdict);
		note_failure(totals, program, worker->seed < worker->end ? worker->seed++ : worker->end - 1, &verdict);
	}
}

/* Waits for one to end. */
static void reap(struct worker *workers, unsigned count, struct totals *totals, const char *program)
{
	int status;
	pid_t pid = wait(&status);

	for (unsigned i = 0; i < count; i++)
		if (workers[i].pid == pid)
			take_verdicts(&workers[i], status, totals, program);
}

static void show_progress(const struct totals *totals, uint64_t all, double begun)
{
	if (isatty(STDERR_FILENO) && totals->seeds % 16 == 0)
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " requests, %.0f s ", totals->seeds, all,
			totals->requests, seconds() - begun);
}

static unsigned count_running(const struct worker *workers, unsigned count)
{
	unsigned running = 0;

	for (unsigned i = 0; i < count; i++)
		running += workers[i].pid != 0;
	return running;
}

/* Those that the worker runs in its next process; what a crash left is run first. */
static void give_seeds(struct worker *worker, uint64_t *next, uint64_t last)
{
	uint64_t left = last - *next + 1;

	worker->seed = *next;
	worker->end = *next += left < SEEDS_TOGETHER ? left : SEEDS_TOGETHER;
}

static int run_many(const char *program, const struct options *options)
{
	struct worker workers[WORKERS_MAX] = {0};
	struct totals totals = {0};
	double begun = seconds();
	uint64_t next = options->from;

	do {
		for (unsigned i = 0; i < options->workers && !(options->until_broken && totals.failed); i++) {
			if (workers[i].pid)
				continue;
			if (workers[i].seed == workers[i].end)
				give_seeds(&workers[i], &next, options->to);
			if (workers[i].seed < workers[i].end)
				start_worker(&workers[i], options->certificates);
		}
		if (!count_running(workers, options->workers))
			break;
		reap(workers, options->workers, &totals, program);
		show_progress(&totals, options->to - options->from + 1, begun);
	} while (true);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	printf("%" PRIu64 " requests simulated (%" PRIu64 " served, %" PRIu64 " receipts, %" PRIu64
	       " attempts outrun in %" PRIu64 " seeds, %" PRIu64 " crashes of gateways) in %" PRIu64
	       " seeds, %.1f s: %" PRIu64 " seeds broke an invariant\n",
		totals.requests, totals.served, totals.receipts, totals.outrun, totals.hedging, totals.crashes,
		totals.seeds, seconds() - begun, totals.failed);
	if (options->until_broken && totals.failed)
		printf("broken within %" PRIu64 " seeds\n", totals.first_failed - options->from + 1);
	return (totals.failed != 0) == options->until_broken ? 0 : 1;
}

int main(int argc, char **argv)
{
	int rc;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct options options = {.workers = processors > 0 && processors < WORKERS_MAX ? (unsigned)processors : 1};

	if (!read_options(&options, argc, argv)) {
		fputs(help, stderr);
		return 2;
	}
	if (CONFIG(TLS))
		options.certificates = certificates_make();
	if (options.one)
		run_one(argv[0], &options);
	rc = run_many(argv[0], &options);
	if (CONFIG(TLS))
		certificates_free(options.certificates);
	return rc;
}
