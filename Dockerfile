# The program, the libraries it loads, and the CA certificates: nothing else, and no user but a number.
FROM debian:12-slim AS build
WORKDIR /source
COPY tests/tool/setup.sh tests/tool/
RUN tests/tool/setup.sh build
COPY meson.build meson_options.txt ./
COPY proto proto
COPY src src
COPY deploy/routes/grpcroute.yaml deploy/routes/
COPY tests/meson.build tests/
COPY LICENSE ./
RUN meson setup /build --buildtype=release --strip --prefix=/ --bindir=/ \
    && DESTDIR=/image meson install -C /build --tags runtime
# libnss_*: names are looked up through them. glibc 2.36 has files and dns built in.
RUN ldd /image/grpcroute | grep -o '/[^ ]*' | xargs -I{} cp --parents --dereference {} /image \
    && mkdir -p /image/etc/ssl/certs \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf
# The licence of everything that is in it.
RUN mkdir /image/licenses && cp LICENSE /image/licenses/grpcroute && ldd /image/grpcroute | grep -o '/[^ ]*' \
    | while read -r library; do dpkg -S "$library" 2>/dev/null || dpkg -S "/usr$library"; done | cut -d: -f1 | sort -u \
    | while read -r package; do cp -L "/usr/share/doc/$package/copyright" "/image/licenses/$package"; done

FROM scratch
COPY --from=build /image /
USER 65532:65532
ENTRYPOINT ["/grpcroute"]
