/* Whether the address sanitizer is at work, which is to see each piece of memory come and go. */
#ifndef GRPCROUTE_BASE_SANITIZER_H
#define GRPCROUTE_BASE_SANITIZER_H

#ifdef __SANITIZE_ADDRESS__ /* GCC */
#define SANITIZER_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) /* Clang */
#define SANITIZER_ADDRESS 1
#endif
#endif
#ifndef SANITIZER_ADDRESS
#define SANITIZER_ADDRESS 0
#endif

#endif
