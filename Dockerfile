# One image for every process of the kernel; scripts/build-image.sh builds it, docs/image.md says how it is run.
#
# BASE has Node.js 24 at /usr/local/bin/node and catatonit at /usr/bin/catatonit. BUILD_BASE has Node.js 24, npm, a C++
# compiler, make and Python. Neither has a default: give each by its digest. scripts/image/make-bases.sh makes both.
ARG BASE
ARG BUILD_BASE

# What the processes import, and nothing that only builds or tests.
FROM ${BUILD_BASE} AS packages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY scripts/image/slim-packages.sh scripts/image/
# pkcs11js is compiled against the headers of the node that runs it. The build fails without it: a proxy that could not
# load its HSM's module would be noticed where it is needed.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=authorities,target=/run/authorities.pem \
    NODE_EXTRA_CA_CERTS=/run/authorities.pem npm_package_config_node_gyp_nodedir=/usr/local \
    npm ci --omit=dev --no-update-notifier \
    && node -e "require('pkcs11js')" \
    && scripts/image/slim-packages.sh node_modules

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Scripts of packages download servers and compile what only tests need.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=authorities,target=/run/authorities.pem \
    NODE_EXTRA_CA_CERTS=/run/authorities.pem npm ci --ignore-scripts --no-update-notifier
COPY . .
RUN mkdir test && node scripts/build.mjs /build && node scripts/image/gather.mjs /build /app \
    && install -m 755 scripts/image/entrypoint /app/entrypoint && install -m 644 LICENSE /app/LICENSE

FROM ${BASE}
ARG VERSION
ARG REVISION
ARG CREATED
ARG SOURCE
ARG BASE
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="illuvrse-kernel" \
      org.opencontainers.image.description="Kernel, signing proxy and their workers: one process a container" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
WORKDIR /app
COPY --from=packages /src/node_modules node_modules
COPY --from=build /app .
# OPENAPI_PATH: where the document of this release is. NODE_OPTIONS: the heap's share of the container's memory
# (docs/adr/0200).
ENV NODE_ENV=production \
    OPENAPI_PATH=/app/openapi.yaml \
    NODE_OPTIONS=--max-old-space-size-percentage=50
USER 65532:65532
EXPOSE 8440 8443 8444 8445
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/app/entrypoint", "health"]
ENTRYPOINT ["/usr/bin/catatonit", "--", "/app/entrypoint"]
CMD ["--help"]
