/*
 * Reading and writing the binary forms of this folder: little-endian integers and varints for values, big-endian
 * integers for keys (so that bytes order as numbers do). A packer that runs out of room and an unpacker that runs out
 * of bytes remember it in one flag, which the caller checks once at the end.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include <endian.h>

#include "core/slice.h"

struct packer {
	char *at, *end;
	bool full; /* something did not fit */
};

struct unpacker {
	const char *at, *end;
	bool bad; /* more was asked for than was there, or a value no packer writes */
};

static inline void pack_bytes(struct packer *p, const void *bytes, size_t size)
{
	if ((size_t)(p->end - p->at) < size) {
		p->full = true;
		p->end = p->at;
		return;
	}
	if (size)
		memcpy(p->at, bytes, size);
	p->at += size;
}

static inline void pack_u8(struct packer *p, uint8_t value)
{
	pack_bytes(p, &value, 1);
}

static inline void pack_u32(struct packer *p, uint32_t value)
{
	value = htole32(value);
	pack_bytes(p, &value, sizeof(value));
}

static inline void pack_u64(struct packer *p, uint64_t value)
{
	value = htole64(value);
	pack_bytes(p, &value, sizeof(value));
}

static inline void pack_be32(struct packer *p, uint32_t value)
{
	value = htobe32(value);
	pack_bytes(p, &value, sizeof(value));
}

static inline void pack_be64(struct packer *p, uint64_t value)
{
	value = htobe64(value);
	pack_bytes(p, &value, sizeof(value));
}

/* Seven bits a byte, least significant first: at most ten bytes. */
static inline void pack_varint(struct packer *p, uint64_t value)
{
	char bytes[10];
	size_t size = 0;

	while (value >= 0x80) {
		bytes[size++] = (char)(value | 0x80);
		value >>= 7;
	}
	bytes[size++] = (char)value;
	pack_bytes(p, bytes, size);
}

/* Signed as zigzag, so that small amounts of either sign are short. */
static inline void pack_signed(struct packer *p, int64_t value)
{
	pack_varint(p, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static inline const char *unpack_bytes(struct unpacker *u, size_t size)
{
	const char *bytes = u->at;

	if ((size_t)(u->end - u->at) < size) {
		u->bad = true;
		u->at = u->end;
		return NULL;
	}
	u->at += size;
	return bytes;
}

static inline uint8_t unpack_u8(struct unpacker *u)
{
	const char *bytes = unpack_bytes(u, 1);

	return bytes ? (uint8_t)*bytes : 0;
}

static inline uint32_t unpack_u32(struct unpacker *u)
{
	const char *bytes = unpack_bytes(u, sizeof(uint32_t));
	uint32_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static inline uint64_t unpack_u64(struct unpacker *u)
{
	const char *bytes = unpack_bytes(u, sizeof(uint64_t));
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

static inline uint64_t unpack_be64(struct unpacker *u)
{
	return be64toh(htole64(unpack_u64(u)));
}

static inline uint64_t unpack_varint(struct unpacker *u)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = unpack_u8(u);

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	u->bad = true;
	return 0;
}

static inline int64_t unpack_signed(struct unpacker *u)
{
	uint64_t value = unpack_varint(u);

	return (int64_t)((value >> 1) ^ (value & 1 ? UINT64_MAX : 0));
}

#endif
