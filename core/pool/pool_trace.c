/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_trace.c - runs in the program: a trace in words.
 *
 * Names of functions come from the loader, as long as the program has the same
 * object at the same place; in the program itself also from its file's table of
 * symbols, which has those that are static. Its file is read through /proc, so
 * it is the one that runs, whatever stands under its name by now. A context
 * that was opened late has another program, and other places.
 */
#include "config.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool/pool_host.h"

struct image { /* the program's file */
    const char *bytes;
    size_t size;
    uint64_t base; /* where it lies here: address less what the file has */
    char path[1024];
};

/* The program is the first of all objects. */
static int note_base(struct dl_phdr_info *info, size_t size, void *base)
{
    (void)size;
    *(uint64_t *)base = info->dlpi_addr;
    return 1;
}

static void open_image(struct image *image)
{
    CLEANUP_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t length = readlink("/proc/self/exe", image->path,
                              sizeof image->path - 1);
    struct stat st;
    void *at;

    image->path[length > 0 ? length : 0] = '\0';
    dl_iterate_phdr(note_base, &image->base);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        return;
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return;
    image->bytes = at;
    image->size = (size_t)st.st_size;
}

static void close_image(struct image *image)
{
    if (image->bytes != NULL)
        munmap((void *)image->bytes, image->size);
}

/* So many entries of that size lie in the file, there. */
static bool lies_in(const struct image *image, uint64_t at, uint64_t count,
                    uint64_t size)
{
    return at <= image->size && at % 8 == 0 &&
           count <= (image->size - at) / size;
}

static const ElfW(Shdr) * section_at(const struct image *image, unsigned number)
{
    const ElfW(Ehdr) *head = (const void *)image->bytes;
    const ElfW(Shdr) * sections;

    if (image->bytes == NULL || !lies_in(image, 0, 1, sizeof *head) ||
        memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_shentsize != sizeof *sections || number >= head->e_shnum ||
        !lies_in(image, head->e_shoff, head->e_shnum, sizeof *sections))
        return NULL;
    sections = (const void *)(image->bytes + head->e_shoff);
    return &sections[number];
}

/* The function of this section that has this address; NULL. */
static const char *name_in(const struct image *image,
                           const ElfW(Shdr) * section, uint64_t address,
                           uint64_t *start_out)
{
    const ElfW(Shdr) *names = section_at(image, section->sh_link);
    const ElfW(Sym) * symbols;
    size_t count = section->sh_size / sizeof *symbols;

    if (names == NULL || names->sh_offset > image->size ||
        names->sh_size > image->size - names->sh_offset ||
        names->sh_size == 0 ||
        image->bytes[names->sh_offset + names->sh_size - 1] != '\0' ||
        !lies_in(image, section->sh_offset, count, sizeof *symbols))
        return NULL;
    symbols = (const void *)(image->bytes + section->sh_offset);
    for (size_t i = 0; i < count; i++) {
        const ElfW(Sym) *symbol = &symbols[i];

        if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
            address < symbol->st_value ||
            address - symbol->st_value >= symbol->st_size ||
            symbol->st_name >= names->sh_size)
            continue;
        *start_out = symbol->st_value;
        return image->bytes + names->sh_offset + symbol->st_name;
    }
    return NULL;
}

static const char *name_in_image(const struct image *image, uint64_t address,
                                 uint64_t *start_out)
{
    const ElfW(Shdr) * section;
    const char *name = NULL;

    for (unsigned i = 0;
         name == NULL && (section = section_at(image, i)) != NULL; i++)
        if (section->sh_type == SHT_SYMTAB)
            name = name_in(image, section, address, start_out);
    return name;
}

/* The function of this frame, and where it begins; NULL. What is called last
 * in a function that never returns goes back behind its end: so one looks at
 * the byte before. */
static const char *function_of(const struct image *image,
                               const struct trace_frame *frame,
                               const char *path, bool inmost,
                               uint64_t *start_out)
{
    uint64_t address = frame->address - !inmost;
    struct link_map *map = NULL;
    const char *name = NULL;
    Dl_info info;

    if (strcmp(path, image->path) == 0 && image->base == frame->base)
        name = name_in_image(image, address - frame->base, start_out);
    if (name != NULL) {
        *start_out += frame->base;
        return name;
    }
    if (dladdr1((void *)(uintptr_t)address, &info, (void **)&map,
                RTLD_DL_LINKMAP) == 0 ||
        map == NULL || map->l_addr != frame->base ||
        strcmp(map->l_name[0] == '\0' ? image->path : map->l_name, path) != 0 ||
        info.dli_sname == NULL)
        return NULL;
    *start_out = (uintptr_t)info.dli_saddr;
    return info.dli_sname;
}

static void add_words(struct buf *text, const struct image *image,
                      const struct trace_frame *frame, const char *path,
                      bool inmost)
{
    uint64_t start = 0;
    const char *name;

    if (path == NULL || path[0] == '\0') {
        buf_printf(text, "0x%llx\n", (unsigned long long)frame->address);
        return;
    }
    name = function_of(image, frame, path, inmost, &start);
    if (name != NULL)
        buf_printf(text, "%s+0x%llx ", name,
                   (unsigned long long)(frame->address - start));
    buf_printf(text, "%s+0x%llx\n", path,
               (unsigned long long)(frame->address - frame->base));
}

char *trace_words(const struct trace *trace)
{
    struct image *image = calloc(1, sizeof *image);
    struct buf text = { 0 };

    if (image == NULL)
        return NULL;
    open_image(image);
    for (uint32_t i = 0; i < trace->count; i++) {
        const struct trace_frame *frame = &trace->frames[i];

        add_words(&text, image, frame,
                  frame->name < TRACE_NAMES ? trace->names + frame->name : NULL,
                  i == 0);
    }
    close_image(image);
    free(image);
    if (buf_char(&text, '\0') != 0) {
        buf_done(&text);
        return NULL;
    }
    return text.data;
}

int weir_result_trace(weir_result *result, const char **text_out)
{
    int code = result_check(result);
    char *text, *none = NULL;
    weir_pool *pool;

    if (code != 0 || text_out == NULL)
        return code != 0 ? code : WEIR_EINVAL;
    pool = result->pool;
    pool_enter(pool);
    code = !result->ended          ? WEIR_ESTATE
           : result->trace == NULL ? WEIR_EEMPTY
                                   : 0;
    pool_leave(pool);
    if (code != 0)
        return code;
    /* What has ended does not change any more, but for this: once. */
    if (atomic_load(&result->trace_text) == NULL) {
        text = trace_words(result->trace);
        if (text == NULL)
            return WEIR_ENOMEM;
        if (!atomic_compare_exchange_strong(&result->trace_text, &none, text))
            free(text);
    }
    *text_out = atomic_load(&result->trace_text);
    return 0;
}
