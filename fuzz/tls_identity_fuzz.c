/*
 * Fuzzes who a certificate says that its holder is: whatever its fields hold, the line is printable ASCII, no longer
 * than its room, and each of its elements is one that was written as a whole, `;NAME="..."`, behind the fingerprint.
 *
 * An input: a byte of the subject's size, the subject, the extensions.
 */
#include "fuzz/input.h"
#include "tls/alt_name.h"
#include "tls/identity.h"

static void check_line(struct slice line)
{
	static const char hash[] = "Hash=0000000000000000000000000000000000000000000000000000000000000000";
	size_t at = sizeof(hash) - 1;

	assert(line.size >= at && memcmp(line.data, hash, at) == 0);
	while (at < line.size) {
		assert(line.data[at++] == ';');
		while (at < line.size && line.data[at] != '=')
			assert(strchr("SubjectURIDNSEmail", line.data[at++]));
		assert(line.size - at >= 3 && line.data[at + 1] == '"');
		for (at += 2; at < line.size && line.data[at] != '"'; at++) {
			assert(line.data[at] >= ' ' && line.data[at] < 0x7f);
			at += line.data[at] == '\\';
		}
		assert(at < line.size);
		at++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char fingerprint[TLS_FINGERPRINT_BYTES];
	struct input input = {data, data + size};
	struct slice subject = input_take(&input, input_byte(&input)), extensions = input_rest(&input);
	char *subject_copy = copy_of(subject), *extensions_copy = copy_of(extensions),
	     *memory = malloc(TLS_IDENTITY_MAX_BYTES);
	struct text line = text_over(memory, TLS_IDENTITY_MAX_BYTES);

	assert(memory);
	tls_identity_print(
		fingerprint, slice_of(subject_copy, subject.size), slice_of(extensions_copy, extensions.size), &line);
	check_line(text_slice(&line));
	tls_alt_name_has_address(slice_of(extensions_copy, extensions.size), slice_of("\x7f\0\0\1", 4));
	free(memory);
	free(subject_copy);
	free(extensions_copy);
	return 0;
}
