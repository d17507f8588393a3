# The one image of Sinter (D16): operator, gateway and units are files in it, started by different commands.
#
#     docker buildx build --platform linux/amd64,linux/arm64 --tag YOUR-REGISTRY/sinter:0.1.0 --push .
#
# What is built is the same for every architecture, so it is built once, natively. RUNTIME_IMAGE is any image for these
# architectures that has Node 24 as /usr/local/bin/node; it needs no shell. Pin both by digest for what you rely on.
ARG BUILD_IMAGE=node:24-slim
ARG RUNTIME_IMAGE=node:24-slim

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
# First what dependencies follow from, so that a change of code fetches nothing anew.
COPY package.json package-lock.json ./
COPY bench/package.json bench/
COPY cli/package.json cli/
COPY crds/package.json crds/
COPY operator/package.json operator/
COPY runtimes/bus/package.json runtimes/bus/
COPY runtimes/contract/package.json runtimes/contract/
COPY runtimes/gateway/package.json runtimes/gateway/
COPY runtimes/host/package.json runtimes/host/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node scripts/build.ts

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="sinter" \
      org.opencontainers.image.description="A Kubernetes operator that measures a graph of functions and decides what to fuse, where and as what each runs, and when" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/LICENSE ./
COPY --from=build /src/operator/dist/main.js ./operator.mjs
COPY --from=build /src/runtimes/gateway/dist/main.js ./gateway.mjs
COPY --from=build /src/runtimes/host/dist/ ./host/
# By number: Kubernetes cannot tell from a name that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["/app/operator.mjs"]
