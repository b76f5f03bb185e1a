#ifndef GRPCROUTE_H2_VERSION_H
#define GRPCROUTE_H2_VERSION_H

/* Of nghttp2 as loaded: "1.52.0". */
const char *h2_library_version(void);

#endif
