/* How a demo prints. */
#ifndef GRPCROUTE_DEMO_TELL_H
#define GRPCROUTE_DEMO_TELL_H

void demo_title(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A child's line, as it is; children escape what peers said. */
void demo_show_line(const char *line);

#endif
