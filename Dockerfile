# The API server. The worker is the same image with the command `afterglow worker`.
FROM python:3.11-slim AS environment
WORKDIR /srv/afterglow
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt requirements-uv.txt ./
COPY .ci/sync .ci/sync
RUN .ci/sync requirements.txt && rm -f .venv/bin/uv .venv/bin/uvx

FROM python:3.11-slim
# Files belong to root: the server can read its own code, and change nothing but its data.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin afterglow \
    && install -d -o afterglow -g afterglow -m 0700 /var/lib/afterglow
WORKDIR /srv/afterglow
COPY --from=environment /srv/afterglow/.venv .venv
COPY . .
ENV PATH=/srv/afterglow/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AFTERGLOW_HOST=0.0.0.0 \
    AFTERGLOW_DATA_DIR=/var/lib/afterglow
USER afterglow
VOLUME /var/lib/afterglow
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as http; http.urlopen('http://127.0.0.1:' + os.environ.get('AFTERGLOW_PORT', '8000') + '/healthz', timeout=2)"]
CMD ["afterglow", "serve"]
