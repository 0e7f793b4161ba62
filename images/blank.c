/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fs.h"
#include "images/images.h"

/*
 * The smallest EROFS: a superblock, and behind it the inode of the root directory with its two
 * entries, all in one block. Numbers are little-endian; what is not named is zero.
 */
#define BLOCK_BITS  12
#define SUPERBLOCK  1024 /* where it is */
#define MAGIC       UINT32_C(0xe0f5e1e2)
#define INODE_SIZE  32       /* and the unit of their numbers */
#define INLINE      (2 << 1) /* the data follows the inode */
#define DIRECTORY   2
#define ROOT_NUMBER (sizeof(struct before_root) / INODE_SIZE)

struct before_root {
        uint8_t nothing[SUPERBLOCK];
        uint32_t magic, checksum, compatible;
        uint8_t block_bits, slots;
        uint16_t root;
        uint64_t inodes, time;
        uint32_t time_ns, blocks;
        uint8_t rest[88];
};

struct entry {
        uint64_t inode;
        uint16_t name; /* from the first entry on */
        uint8_t type, reserved;
} __attribute__((packed));

struct root {
        uint16_t format, xattrs, mode, links;
        uint32_t size;
        uint8_t rest[INODE_SIZE - 12];
        struct entry entries[2];
        char names[3];
} __attribute__((packed));

union blank {
        uint8_t block[1 << BLOCK_BITS];
        struct {
                struct before_root before;
                struct root root;
        } parts;
};

int fg_images_blank(const char *path, struct fg_error *err)
{
        const uint16_t names = sizeof(struct entry[2]);
        union blank b = { 0 };

        static_assert(sizeof(struct before_root) == SUPERBLOCK + 128, "as the format has it");
        b.parts.before.magic = htole32(MAGIC);
        b.parts.before.block_bits = BLOCK_BITS;
        b.parts.before.root = htole16(ROOT_NUMBER);
        b.parts.before.inodes = htole64(1);
        b.parts.before.blocks = htole32(1);
        b.parts.root.format = htole16(INLINE);
        b.parts.root.mode = htole16(S_IFDIR | 0755);
        b.parts.root.links = htole16(2);
        b.parts.root.size = htole32(names + sizeof(b.parts.root.names));
        for (uint16_t i = 0; i < 2; i++)
                b.parts.root.entries[i] = (struct entry){ .inode = htole64(ROOT_NUMBER),
                                                          .name = htole16(names + i),
                                                          .type = DIRECTORY };
        memcpy(b.parts.root.names, "...", sizeof(b.parts.root.names)); /* "." and ".." */
        return fg_write_file(path, b.block, sizeof(b.block), 0640, err);
}
