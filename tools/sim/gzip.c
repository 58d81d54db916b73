/* SPDX-License-Identifier: MIT */
/* gzip by hand: CRC-32, stored blocks, and fixed-Huffman matches of 258 zeros in 13 bits each. */
#include "tools/sim/gzip.h"

enum { MATCH_BYTES = 258, STORED_MOST = 65535 };

static uint32_t crc_table[256];
static uint32_t crc_match[4][256]; /* what MATCH_BYTES zero bytes do to a CRC, per byte of it */

static uint32_t crc_zeros(uint32_t crc, int count)
{
	while (count-- > 0)
		crc = crc >> 8 ^ crc_table[crc & 0xff];
	return crc;
}

static void tables_setup(void)
{
	if (crc_table[1] != 0)
		return;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int k = 0; k < 8; k++)
			crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
		crc_table[i] = crc;
	}
	for (int byte = 0; byte < 4; byte++)
		for (uint32_t i = 0; i < 256; i++)
			crc_match[byte][i] = crc_zeros(i << (8 * byte), MATCH_BYTES);
}

static void crc_add(struct gzip *gzip, struct span data)
{
	uint32_t crc = ~gzip->crc;
	for (size_t i = 0; i < data.len; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ (unsigned char)data.at[i]) & 0xff];
	gzip->crc = ~crc;
	gzip->size += data.len;
}

static void crc_add_match(struct gzip *gzip)
{
	uint32_t crc = ~gzip->crc;
	gzip->crc = ~(crc_match[0][crc & 0xff] ^ crc_match[1][crc >> 8 & 0xff] ^ crc_match[2][crc >> 16 & 0xff] ^
		      crc_match[3][crc >> 24]);
	gzip->size += MATCH_BYTES;
}

static void append_le32(struct buf *out, uint32_t value)
{
	char bytes[4] = {(char)value, (char)(value >> 8), (char)(value >> 16), (char)(value >> 24)};
	buf_append(out, (struct span){bytes, 4});
}

void gzip_begin(struct gzip *gzip, struct buf *out)
{
	tables_setup();
	*gzip = (struct gzip){.crc = 0};
	buf_append(out, SPAN("\x1f\x8b\x08\0\0\0\0\0\0\xff"));
}

static void stored_block(struct buf *out, bool last, struct span data)
{
	char head[5] = {last, (char)data.len, (char)(data.len >> 8), (char)~data.len, (char)(~data.len >> 8)};
	buf_append(out, (struct span){head, 5});
	buf_append(out, data);
}

void gzip_store(struct gzip *gzip, struct buf *out, struct span data)
{
	crc_add(gzip, data);
	while (data.len > 0) {
		size_t take = data.len > STORED_MOST ? STORED_MOST : data.len;
		stored_block(out, false, (struct span){data.at, take});
		data = (struct span){data.at + take, data.len - take};
	}
}

static void trailer(const struct gzip *gzip, struct buf *out)
{
	append_le32(out, gzip->crc);
	append_le32(out, (uint32_t)gzip->size);
}

void gzip_end(struct gzip *gzip, struct buf *out)
{
	stored_block(out, true, SPAN(""));
	trailer(gzip, out);
}

/* count bits of value, the lowest first, as deflate packs them. */
static void bits_add(struct gzip *gzip, struct buf *out, uint32_t value, unsigned count)
{
	gzip->bits |= value << gzip->bit_count;
	gzip->bit_count += count;
	while (gzip->bit_count >= 8) {
		char byte = (char)gzip->bits;
		buf_append(out, (struct span){&byte, 1});
		gzip->bits >>= 8;
		gzip->bit_count -= 8;
	}
}

void gzip_bomb_begin(struct gzip *gzip, struct buf *out)
{
	bits_add(gzip, out, 0x3, 3);  /* last block, fixed Huffman codes */
	bits_add(gzip, out, 0x0c, 8); /* literal 0: code 00110000, mirrored */
	crc_add(gzip, (struct span){"\0", 1});
}

void gzip_bomb_grow(struct gzip *gzip, struct buf *out, size_t size)
{
	for (size_t matches = size * 8 / 13 + 1; matches > 0; matches--) {
		bits_add(gzip, out, 0xa3, 13); /* length 258: code 11000101, mirrored; distance 1: code 00000 */
		crc_add_match(gzip);
	}
}

void gzip_bomb_end(struct gzip *gzip, struct buf *out)
{
	bits_add(gzip, out, 0, 7); /* end of block */
	if (gzip->bit_count > 0)
		bits_add(gzip, out, 0, 8 - gzip->bit_count);
	trailer(gzip, out);
}
