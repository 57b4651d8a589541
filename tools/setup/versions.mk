# Everything tollgate is built with, and how old each may be. This is the one place that knows a version:
# the Makefile includes it, the scripts in this folder read it. Lines are NAME := value, without spaces in the value.

# Built from the source packages of NEXT_RELEASE, because the running release's are too old: liburing 2.3 does not
# know the ring set-up used here, wolfSSL 5.5.4 is packaged without AES instructions.
NEXT_RELEASE := trixie
LIBURING_VERSION := 2.9
WOLFSSL_VERSION := 5.7.2

# Taken from the running release, as packages. The least versions are those the code was written and measured with.
MIN_GCC := 12
MIN_SIMDJSON := 3.0.1
MIN_LLHTTP := 8.1.0~
MIN_XXHASH := 0.8.1
MIN_ROCKSDB := 7.8.3
MIN_LIBYAML := 0.2.5
MIN_CARES := 1.18.1
MIN_CMOCKA := 1.1.5
MIN_NODE := 18
