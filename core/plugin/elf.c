/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elf.c - is this file a whole shared object for this kind of machine?
 *
 * dlopen maps first and looks later: a file that was cut short kills it by
 * SIGBUS, which no message survives. So every extent that the headers name is
 * compared with the file's size before. All that is read here comes from the
 * file and is believed only after it was bounded.
 */
#include "config.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "plugin/internal.h"

/* More than any linker writes; a table of this size is read in one go. */
enum { HEADERS_MAX = 4096 };

/* <link.h> has one name for both classes, and it reads badly in a list. */
typedef ElfW(Ehdr) elf_header;

/* The header of the object that this code is in: what plugins must match. Set
 * by the linker; weak, since one of another kind may not know the name. */
extern const elf_header __ehdr_start
    __attribute__((__weak__, __visibility__("hidden")));

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        { EM_386, "i386" },
        { EM_X86_64, "x86-64" },
        { EM_ARM, "arm" },
        { EM_AARCH64, "aarch64" },
        { EM_PPC64, "ppc64" },
        { EM_S390, "s390" },
        { EM_RISCV, "riscv" },
        { EM_MIPS, "mips" },
        { EM_LOONGARCH, "loongarch" },
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

static int read_at(int fd, void *data, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(fd, (char *)data + done, size - done,
                            (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EIO;
        done += (size_t)got;
    }
    return 0;
}

static int refuse_cut(weir_error *err, uint64_t size, uint64_t end)
{
    return error_set(err, WEIR_EPLUGIN,
                     "it is cut short: %llu bytes are there, its headers tell "
                     "of %llu; copy or install it again",
                     (unsigned long long)size, (unsigned long long)end);
}

/* Does [offset, offset + length) lie in the file? */
static int extent(uint64_t offset, uint64_t length, uint64_t size,
                  weir_error *err)
{
    if (length > UINT64_MAX - offset)
        return error_set(err, WEIR_EPLUGIN, "its headers make no sense");
    return offset + length <= size ? 0 : refuse_cut(err, size, offset + length);
}

static int check_machine(const elf_header *header, weir_error *err)
{
    unsigned want = &__ehdr_start ? __ehdr_start.e_machine : header->e_machine;
    ElfW(Half) one = 1;
    int order = *(const char *)&one ? ELFDATA2LSB : ELFDATA2MSB;

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return error_set(err, WEIR_EPLUGIN,
                         "it is no shared object (no ELF header)");
    if (header->e_ident[EI_CLASS] !=
        (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return error_set(err, WEIR_EPLUGIN,
                         "it was built for %s-bit programs, and this is a "
                         "%zu-bit one",
                         sizeof(void *) == 8 ? "32" : "64", 8 * sizeof(void *));
    if (header->e_ident[EI_DATA] != order)
        return error_set(err, WEIR_EPLUGIN,
                         "it was built for the other byte order");
    if (header->e_machine != want)
        return error_set(err, WEIR_EPLUGIN,
                         "it was built for %s (ELF machine %u), and this is "
                         "%s",
                         machine_name(header->e_machine),
                         (unsigned)header->e_machine, machine_name(want));
    if (header->e_type != ET_DYN)
        return error_set(err, WEIR_EPLUGIN,
                         "it is an ELF file, but no shared object (type %u); "
                         "link it with -shared",
                         (unsigned)header->e_type);
    return 0;
}

static int check_segments(int fd, const elf_header *header, uint64_t size,
                          weir_error *err)
{
    size_t bytes = (size_t)header->e_phnum * sizeof(ElfW(Phdr));
    CLEANUP_FREE ElfW(Phdr) *segments = NULL;
    int code = extent(header->e_phoff, bytes, size, err);

    if (code < 0)
        return code;
    if (header->e_phnum == 0 || header->e_phnum > HEADERS_MAX ||
        header->e_phentsize != sizeof *segments)
        return error_set(err, WEIR_EPLUGIN, "its headers make no sense");
    segments = malloc(bytes);
    if (!segments)
        return error_sys(err, WEIR_ENOMEM, "cannot check it");
    code = read_at(fd, segments, bytes, header->e_phoff);
    if (code < 0)
        return error_sys(err, code, "cannot read it");
    for (size_t i = 0; i < header->e_phnum && code == 0; i++)
        code = extent(segments[i].p_offset, segments[i].p_filesz, size, err);
    return code;
}

/* Nothing at run time needs the sections, and a file may go without; but the
 * table is what linkers write last, so any cut shows here. */
static int check_sections(int fd, const elf_header *header, uint64_t size,
                          weir_error *err)
{
    size_t bytes = (size_t)header->e_shnum * sizeof(ElfW(Shdr));
    CLEANUP_FREE ElfW(Shdr) *sections = NULL;
    int code;

    if (header->e_shoff == 0 || header->e_shnum == 0)
        return 0;
    if (header->e_shentsize != sizeof *sections)
        return error_set(err, WEIR_EPLUGIN, "its headers make no sense");
    code = extent(header->e_shoff, bytes, size, err);
    if (code < 0)
        return code;
    sections = malloc(bytes);
    if (!sections)
        return error_sys(err, WEIR_ENOMEM, "cannot check it");
    code = read_at(fd, sections, bytes, header->e_shoff);
    if (code < 0)
        return error_sys(err, code, "cannot read it");
    for (size_t i = 0; i < header->e_shnum && code == 0; i++)
        if (sections[i].sh_type != SHT_NOBITS &&
            sections[i].sh_type != SHT_NULL)
            code = extent(sections[i].sh_offset, sections[i].sh_size, size,
                          err);
    return code;
}

int elf_check(int fd, uint64_t size, weir_error *err)
{
    elf_header header = { 0 };
    size_t there = size < sizeof header ? (size_t)size : sizeof header;
    int code;

    if (size == 0)
        return error_set(err, WEIR_EPLUGIN, "it is empty");
    code = read_at(fd, &header, there, 0);
    if (code < 0)
        return error_sys(err, code, "cannot read it");
    if (there < sizeof header &&
        (there < SELFMAG || memcmp(&header, ELFMAG, SELFMAG) == 0))
        return refuse_cut(err, size, sizeof header);
    code = check_machine(&header, err);
    if (code == 0)
        code = check_segments(fd, &header, size, err);
    if (code == 0)
        code = check_sections(fd, &header, size, err);
    return code;
}
