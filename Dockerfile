# Two images from one file, both without a compiler, for an unprivileged user and a read-only root filesystem:
#
#   docker build --target operator  --tag fireworks-operator .
#   docker build --target simulator --tag fireworks-simulator .
#
# Every package is a wheel of the version and with the hash that requirements/ names.
ARG PYTHON_IMAGE=python:3.13-slim

# --- the project's own wheel; the tools that make it stay behind here -----------------------------------------------
FROM ${PYTHON_IMAGE} AS build
# Another package index than pip's default: --build-arg PIP_INDEX_URL=...
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/ requirements/
# The build backend is pinned there.
RUN pip install --require-hashes --requirement requirements/dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator/ operator/
RUN pip wheel --no-deps --no-build-isolation --no-binary fireworks-operator --wheel-dir /dist .

# --- environments: without pip, with compiled bytecode -------------------------------------------------------------
FROM build AS operator-environment
RUN python -m venv --without-pip /opt/fireworks \
 && pip --python /opt/fireworks/bin/python install --require-hashes --requirement requirements/operator.txt \
 && pip --python /opt/fireworks/bin/python install --no-index --no-deps /dist/*.whl

FROM build AS simulator-environment
RUN python -m venv --without-pip /opt/fireworks \
 && pip --python /opt/fireworks/bin/python install --require-hashes --requirement requirements/simulator.txt \
 && pip --python /opt/fireworks/bin/python install --no-index --no-deps /dist/*.whl

# --- images --------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/fireworks/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
WORKDIR /
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.licenses=Apache-2.0

FROM runtime AS simulator
COPY --from=simulator-environment /opt/fireworks /opt/fireworks
LABEL org.opencontainers.image.title=fireworks-simulator \
      org.opencontainers.image.description="A Fireworks AI control plane to test manifests and clients against, without GPUs"
# The admin API stays off on an address that others can reach; --admin turns it on.
ENV FIREWORKS_SIMULATOR_HOST=0.0.0.0
EXPOSE 8090
ENTRYPOINT ["fireworks-simulator"]

# Last, hence what is built without --target.
FROM runtime AS operator
COPY --from=operator-environment /opt/fireworks /opt/fireworks
LABEL org.opencontainers.image.title=fireworks-operator \
      org.opencontainers.image.description="Kubernetes operator for dedicated LLM deployments on Fireworks AI"
EXPOSE 8080
ENTRYPOINT ["fireworks-operator"]
CMD ["run"]
