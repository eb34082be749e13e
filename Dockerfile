# recap in a container: a static program that needs nothing else and does not run as root.
#
#   docker build -t recap:latest .
#   docker run --rm -v "$PWD/runs:/work/runs" --user "$(id -u):$(id -g)" recap:latest train
#
# A build for CUDA needs glibc and NVIDIA's libraries and is not made here; see README.md.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o /out/recap ./cmd/recap \
 && mkdir -p /out/work /out/tmp && chmod 1777 /out/work /out/tmp

FROM scratch
COPY --from=build /out/recap /recap
COPY --from=build /out/work /work
COPY --from=build /out/tmp /tmp
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/recap"]
CMD ["--help"]
