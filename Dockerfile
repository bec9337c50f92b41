# Two images from one file, both without a compiler, for an unprivileged user and a read-only root filesystem:
#
#   docker build --target operator  --tag fireworks-operator .
#   docker build --target simulator --tag fireworks-simulator .
#
# Every package is a wheel of the version and with the hash that requirements/ names. `make image` builds both, also
# where there is no Docker: see docs/images.md.
ARG PYTHON_IMAGE=python:3.13-slim
# The same Python in the same place; it needs no pip.
ARG RUNTIME_IMAGE=${PYTHON_IMAGE}

# --- tools to build with; they stay behind here --------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS tools
# Another package index than pip's default, and the certificates to trust it by: --build-arg PIP_INDEX_URL=...
ARG PIP_INDEX_URL
ARG PIP_CERT
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all:
WORKDIR /src
COPY requirements/ requirements/
# The build backend is pinned there. In an environment of its own: the system's packages may not be pip's to replace.
RUN python -m venv /opt/build
ENV PATH=/opt/build/bin:$PATH
RUN pip install --require-hashes --requirement requirements/dev.txt

# --- the project's own wheel ---------------------------------------------------------------------------------------
FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY operator/ operator/
RUN pip wheel --no-deps --no-build-isolation --no-binary fireworks-operator --wheel-dir /dist .

# --- environments: without pip, with the bytecode of what is used --------------------------------------------------
FROM tools AS environment
ENV TARGET=/opt/fireworks/bin/python
# The client's hundreds of typed models are not used: their bytecode would be a third of the image.
ENV UNUSED=/kubernetes/(aio/)?client/(api|models)/(?!__init__)
RUN python -m venv --without-pip /opt/fireworks

FROM environment AS operator-environment
ARG PIP_INDEX_URL
ARG PIP_CERT
RUN pip --python $TARGET install --no-compile --require-hashes --requirement requirements/operator.txt \
 && $TARGET -m compileall -q -j 0 -x "$UNUSED" /opt/fireworks/lib
COPY --from=wheel /dist /dist
RUN pip --python $TARGET install --no-compile --no-index --no-deps /dist/*.whl \
 && $TARGET -m compileall -q -j 0 -x "$UNUSED" /opt/fireworks/lib

FROM environment AS simulator-environment
ARG PIP_INDEX_URL
ARG PIP_CERT
RUN pip --python $TARGET install --no-compile --require-hashes --requirement requirements/simulator.txt \
 && $TARGET -m compileall -q -j 0 -x "$UNUSED" /opt/fireworks/lib
COPY --from=wheel /dist /dist
RUN pip --python $TARGET install --no-compile --no-index --no-deps /dist/*.whl \
 && $TARGET -m compileall -q -j 0 -x "$UNUSED" /opt/fireworks/lib

# --- images --------------------------------------------------------------------------------------------------------
FROM ${RUNTIME_IMAGE} AS runtime
# Some base images lack the bytecode of the standard library; each start on a read-only filesystem would compile it anew.
RUN python -m compileall -q -x site-packages "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/fireworks/bin:$PATH HOME=/ PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
WORKDIR /
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=unknown
LABEL org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED} \
      org.opencontainers.image.source=${SOURCE} \
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
