/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scan.c - libyaml's own pass over a file, and nothing else: what no reader of
 * job files can be faster than. Prints ns for the whole file. */
#include <yaml.h>

#include "bench.h"

int main(int argc, char **argv)
{
    int64_t started = bench_now(), end = started + row_ns();
    uint64_t turns = 0;

    if (argc != 2)
        bench_die("scan", "one file, please");
    do {
        FILE *file = fopen(argv[1], "re");
        yaml_event_type_t type = YAML_NO_EVENT;
        yaml_parser_t parser;

        if (file == NULL || !yaml_parser_initialize(&parser))
            bench_die(argv[1], "cannot be read");
        yaml_parser_set_input_file(&parser, file);
        while (type != YAML_STREAM_END_EVENT) {
            yaml_event_t event;

            if (!yaml_parser_parse(&parser, &event))
                bench_die(argv[1], parser.problem);
            type = event.type;
            yaml_event_delete(&event);
        }
        yaml_parser_delete(&parser);
        fclose(file);
        turns++;
    } while (bench_now() < end);
    bench_print((double)(bench_now() - started) / (double)turns);
    return 0;
}
