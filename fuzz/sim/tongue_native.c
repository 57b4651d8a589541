/* OpenAI itself, of providers: responses where the client asks for them, else chats as all others have them. */
#include "fuzz/sim/tongue.h"

static const char *read_request(struct slice target, struct slice body, struct asked *asked)
{
	bool response = slice_equal(target, SLICE("/v1/responses"));

	return (response ? &tongue_responses : &tongue_openai)->read_request(target, body, asked);
}

const struct tongue tongue_native = {
	.kind = "openai",
	.credential = "authorization",
	.credential_lead = "Bearer ",
	.read_request = read_request,
};
