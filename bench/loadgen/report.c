/* What a run brought, as text or JSON. Times in microseconds. */
#include "bench/loadgen/loadgen.h"

#include <stdio.h>

static double seconds(const struct results *r)
{
	uint64_t ns = r->ended_ns - r->started_ns;

	return (double)(ns ? ns : 1) / 1e9;
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static void print_latency(const char *name, const struct latency *l)
{
	if (l->count == 0)
		return;
	printf("%-12s p50 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n", name, us(latency_percentile(l, 0.5)),
		us(latency_percentile(l, 0.99)), us(latency_percentile(l, 0.999)), us(l->max_ns));
}

static void print_text(const struct options *o, const struct results *r)
{
	printf("%.0f requests/s: %llu in %.2f s on %u connections\n", (double)r->completed / seconds(r),
		(unsigned long long)r->completed, seconds(r), o->connections);
	print_latency("latency", &r->whole);
	print_latency("first event", &r->first_event);
	print_latency("event gap", &r->gap);
	if (o->sse)
		printf("events       %llu, %.0f a second\n", (unsigned long long)r->events,
			(double)r->events / seconds(r));
	printf("bytes        %llu of bodies received, %llu sent\n", (unsigned long long)r->body_bytes,
		(unsigned long long)r->sent_bytes);
	if (o->https)
		printf("handshakes   %llu full, %llu resumed\n", (unsigned long long)r->full_handshakes,
			(unsigned long long)r->resumed_handshakes);
	for (unsigned s = 0; s < STATUS_MAX; s++)
		if (r->statuses[s])
			printf("status %u   %llu\n", s, (unsigned long long)r->statuses[s]);
	if (r->failed_connects || r->failed_reads || r->failed_answers || r->unfinished || r->aborted)
		printf("errors       connect %llu, closed early %llu, not HTTP %llu, unfinished %llu; aborted on "
		       "purpose %llu\n",
			(unsigned long long)r->failed_connects, (unsigned long long)r->failed_reads,
			(unsigned long long)r->failed_answers, (unsigned long long)r->unfinished,
			(unsigned long long)r->aborted);
}

static void json_latency(const char *name, const struct latency *l)
{
	printf(",\"%s\":{\"count\":%llu,\"mean_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%."
	       "1f}",
		name, (unsigned long long)l->count, us(latency_mean(l)), us(latency_percentile(l, 0.5)),
		us(latency_percentile(l, 0.99)), us(latency_percentile(l, 0.999)), us(l->max_ns));
}

static void print_json(const struct options *o, const struct results *r)
{
	const char *comma = "";

	printf("{\"seconds\":%.4f,\"connections\":%u,\"requests\":%llu,\"requests_per_s\":%.1f,\"events\":%llu",
		seconds(r), o->connections, (unsigned long long)r->completed, (double)r->completed / seconds(r),
		(unsigned long long)r->events);
	json_latency("latency", &r->whole);
	json_latency("first_event", &r->first_event);
	json_latency("event_gap", &r->gap);
	printf(",\"body_bytes\":%llu,\"sent_bytes\":%llu,\"statuses\":{", (unsigned long long)r->body_bytes,
		(unsigned long long)r->sent_bytes);
	for (unsigned s = 0; s < STATUS_MAX; s++) {
		if (!r->statuses[s])
			continue;
		printf("%s\"%u\":%llu", comma, s, (unsigned long long)r->statuses[s]);
		comma = ",";
	}
	printf("},\"handshakes\":{\"full\":%llu,\"resumed\":%llu}", (unsigned long long)r->full_handshakes,
		(unsigned long long)r->resumed_handshakes);
	printf(",\"aborted\":%llu,\"errors\":{\"connect\":%llu,\"closed_early\":%llu,\"not_http\":%llu,\"unfinished\":%"
	       "llu}}\n",
		(unsigned long long)r->aborted, (unsigned long long)r->failed_connects,
		(unsigned long long)r->failed_reads, (unsigned long long)r->failed_answers,
		(unsigned long long)r->unfinished);
}

void report_print(const struct options *options, const struct results *results)
{
	if (options->json)
		print_json(options, results);
	else
		print_text(options, results);
}
