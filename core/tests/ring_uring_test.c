/* The ring's contract on io_uring and loopback sockets. */
#include "core/tests/ring_contract.h"

#include <sys/socket.h>

unsigned contract_rounds(void)
{
	return 1;
}

void contract_begin(unsigned round)
{
	(void)round;
}

void contract_open(struct pair *pair)
{
	const struct ring_options options = {
		.entry_count = 8, .buffer_count = CONTRACT_BUFFERS, .buffer_bytes = CONTRACT_BUFFER_BYTES};
	char why[256] = "";

	if (ring_open(&pair->ring, &options, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(ring_enable(pair->ring), 0);
	*(struct sockaddr_in *)&pair->address =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void contract_close(struct pair *pair)
{
	ring_close(pair->ring);
}

int contract_listen(struct pair *pair)
{
	int listener = ring_listen(pair->ring, &pair->address, 16, true);
	socklen_t bytes = sizeof(pair->address);

	assert_true(listener >= 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&pair->address, &bytes), 0);
	return listener;
}

int main(void)
{
	return run_contract("ring_uring");
}
