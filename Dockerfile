# EndoScribe for a CPU or, with the host's NVIDIA driver and `--gpus all`, for a GPU. PyTorch's wheels bring CUDA's
# libraries, so a slim base is enough; LD_LIBRARY_PATH stays unset, because torch finds them by itself.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
RUN python -m pip install --no-cache-dir uv==0.13.9 && python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN VIRTUAL_ENV=/opt/venv uv pip install --no-cache --require-hashes -r /tmp/requirements.txt

FROM ${BASE}
LABEL org.opencontainers.image.title="EndoScribe" \
      org.opencontainers.image.description="Dictated endoscopy to structured report" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 1000 --create-home endoscribe && install -d -o 1000 -g 1000 /data
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/endoscribe \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    ENDOSCRIBE_HOST=0.0.0.0 \
    ENDOSCRIBE_DATA_DIR=/data \
    PORT=7860
WORKDIR /app
# What changes most comes last.
COPY LICENSE deploy/entrypoint.sh ./
COPY procedure_schemas procedure_schemas
COPY endoscribe endoscribe
COPY app.py ./
EXPOSE 7860
# /health answers 503 after a failed start; the first start fetches the weights.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=4)"]
ENTRYPOINT ["/app/entrypoint.sh"]
CMD ["python", "app.py"]
