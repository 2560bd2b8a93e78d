# syntax=docker/dockerfile:1
# Images of wattle and of wattle-agent, each nothing but a static binary:
#   docker build --target wattle-agent -t wattle-agent:latest .
#   docker build --target wattle -t wattle:latest .
# RELEASE is what "version" prints.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH RELEASE=
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# Without cgo and without NVML, which needs the C library of the host: GPUs are read
# from a dcgm-exporter. Time zones are linked in, for there are none in the image.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    mkdir /out && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags nonvml,timetzdata \
      -ldflags "-s -w -X github.com/wattle-project/wattle/internal/version.release=$RELEASE" \
      -o /out/ ./cmd/wattle ./cmd/wattle-agent
RUN cp /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch AS wattle
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/wattle /wattle
COPY LICENSE NOTICE /
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/wattle"]

# The last one is what "docker build ." makes. User 0 with CAP_DAC_READ_SEARCH alone
# reads energy registers; deploy/agent/daemonset.yaml sets both. Any other user
# serves what is readable.
FROM scratch AS wattle-agent
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/wattle-agent /wattle-agent
COPY LICENSE NOTICE /
USER 65532:65532
EXPOSE 9188
ENTRYPOINT ["/wattle-agent"]
