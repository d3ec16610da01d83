# syntax=docker/dockerfile:1
# The service in a small image: `docker build -t ringback .`. It runs as a user without rights, and writes nowhere.
#
# The first stage builds with the lock file's versions; its caches make a second build quick.
FROM rust:1-slim-bookworm AS build
# What compiles C code, in whichever version Debian has: what is shipped is pinned by Cargo.lock.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --bin ringback --bin twilio-sim \
    && cp target/dist/ringback target/dist/twilio-sim /usr/local/bin/ \
    && strip /usr/local/bin/ringback /usr/local/bin/twilio-sim

# Twilio's API, simulated, for compose.yaml alone.
FROM gcr.io/distroless/cc-debian12:nonroot AS simulator
COPY --from=build /usr/local/bin/twilio-sim /usr/local/bin/twilio-sim
ENTRYPOINT ["/usr/local/bin/twilio-sim"]

# The service: the C library, certificates of the usual authorities, and one program.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/ringback /usr/local/bin/ringback
COPY config /etc/ringback
ENV RINGBACK_ENV=production \
    RINGBACK_CONFIG_DIR=/etc/ringback \
    RINGBACK__SERVER__BIND=0.0.0.0:8000 \
    RINGBACK__SERVER__OPS_BIND=0.0.0.0:8001
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/usr/local/bin/ringback", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/ringback"]
CMD ["serve"]
