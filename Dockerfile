# EndoScribe for a GPU (TORCH=cuda, with the host's NVIDIA driver and `--gpus all`; runs on a CPU too) or, much smaller,
# for a CPU only (TORCH=cpu). PyTorch's wheels bring CUDA's libraries, so a slim base is enough; LD_LIBRARY_PATH stays
# unset, because torch finds them by itself. What changes most comes last.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
RUN python -m pip install --no-cache-dir uv==0.13.9 && python -m venv --without-pip /opt/venv
# User 1000 cannot write there: without bytecode in the image, every start would compile every module again.
ENV VIRTUAL_ENV=/opt/venv UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_COMPILE_BYTECODE_TIMEOUT=600
COPY requirements.txt deploy/select_requirements.py /tmp/
# cuda, cpu, or none: pages and reports without speech, for checking the image itself.
ARG TORCH=cuda
RUN python /tmp/select_requirements.py "$TORCH" /tmp/requirements.txt > /tmp/selected.txt \
    && uv pip install --no-deps --require-hashes -r /tmp/selected.txt
# PyTorch publishes its CPU wheels apart, and uv knows where: these are pinned by version, all others by hash.
RUN python /tmp/select_requirements.py --unhashed "$TORCH" /tmp/requirements.txt > /tmp/unhashed.txt \
    && if [ -s /tmp/unhashed.txt ]; then uv pip install --no-deps --torch-backend cpu -r /tmp/unhashed.txt; fi
# gcsfs, s3fs or adlfs: recordings on Google Cloud Storage, S3 or Azure (ENDOSCRIBE_AUDIO_URL). By name, not by hash.
ARG STORAGE=
RUN if [ -n "$STORAGE" ]; then uv pip install "$STORAGE"; fi

FROM packages AS weights
# Weights to bake in (base, large-v3, ...); without a name they are fetched to the volume at the first start.
ARG MODEL=
WORKDIR /opt/weights
COPY endoscribe/__init__.py endoscribe/errors.py endoscribe/
COPY endoscribe/speech/__init__.py endoscribe/speech/weights.py endoscribe/speech/
RUN mkdir /opt/models && if [ -n "$MODEL" ]; then /opt/venv/bin/python -c "import sys, pathlib; \
from endoscribe.speech.weights import obtain_weights; obtain_weights(sys.argv[1], pathlib.Path('/opt/models'))" "$MODEL"; fi

FROM ${BASE}
LABEL org.opencontainers.image.title="EndoScribe" \
      org.opencontainers.image.description="Dictated endoscopy to structured report" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 1000 --create-home endoscribe && install -d -o 1000 -g 1000 /data
COPY --from=packages /opt/venv /opt/venv
COPY --from=weights /opt/models /opt/models
ARG MODEL=
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/home/endoscribe \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    ENDOSCRIBE_HOST=0.0.0.0 \
    ENDOSCRIBE_DATA_DIR=/data \
    CUDA_CACHE_PATH=/data/cuda \
    ENDOSCRIBE_WHISPER_MODEL=${MODEL:+/opt/models/$MODEL} \
    PORT=7860
WORKDIR /app
COPY LICENSE deploy/entrypoint.sh ./
COPY procedure_schemas procedure_schemas
COPY endoscribe endoscribe
COPY app.py ./
RUN python -m compileall -q endoscribe
EXPOSE 7860
# /health answers 503 after a failed start; the first start fetches the weights.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=4)"]
ENTRYPOINT ["/app/entrypoint.sh"]
CMD ["python", "app.py"]
