# The images of all services: docker build --build-arg SERVICE=people .   (make images builds all of them)
# They differ in the packages of their extra; the code is the same, and a layer of its own. BASE has Python 3.11 with its venv
# module, and says whom to trust: a network with a certificate authority of its own wants a base that knows it.
ARG BASE=python:3.11-slim-bookworm
ARG SERVICE

FROM ${BASE} AS builder
ENV PYTHONDONTWRITEBYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1
WORKDIR /build
COPY constraints.txt ./
RUN python3 -m venv tools && tools/bin/pip install --quiet --no-cache-dir --constraint constraints.txt hatchling uv
RUN python3 -m venv --without-pip /venv

FROM builder AS dependencies
ARG SERVICE
COPY pyproject.toml ./
RUN tools/bin/uv pip install --python /venv --constraint constraints.txt --requirements pyproject.toml --extra ${SERVICE} \
    && rm /venv/.lock

FROM builder AS code
COPY . ./
RUN tools/bin/hatchling build -t wheel && tools/bin/uv pip install --python /venv --no-deps dist/*.whl

FROM ${BASE} AS runtime
RUN groupadd --gid 10001 valor \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp --shell /usr/sbin/nologin valor \
    && install --directory --owner valor --group valor --mode 700 /data
COPY --from=dependencies /venv /venv
COPY --from=code /venv/bin/valor /venv/bin/
COPY --from=code /venv/lib/python3.11/site-packages /venv/lib/python3.11/site-packages
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 VALOR_DATA=/data VALOR_HEALTH=0.0.0.0:7001 VALOR_METRICS=0.0.0.0:7002
WORKDIR /data
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m"]

FROM runtime AS service
EXPOSE 7000 7001 7002
HEALTHCHECK --interval=20s --timeout=5s --start-period=20s CMD ["python", "-m", "services.chassis.probe"]

FROM service AS telegram
CMD ["services.telegram"]

FROM service AS pipeline
CMD ["services.pipeline"]

FROM service AS agent
CMD ["services.agent"]

FROM service AS toolrunner
CMD ["services.toolrunner"]

FROM service AS people
CMD ["services.people"]

FROM service AS monitor
EXPOSE 7003
CMD ["services.monitor"]

FROM runtime AS testdc
HEALTHCHECK --interval=20s --timeout=5s --start-period=20s CMD ["python", "-m", "services.testdc.probe"]
CMD ["services.testdc"]

FROM runtime AS cli
CMD ["services.cli.wait"]

FROM ${SERVICE}
ARG SERVICE
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="valor-${SERVICE}" \
    org.opencontainers.image.description="The ${SERVICE} of Valor, an AI teammate that lives in Telegram" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
