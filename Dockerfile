# The app on a CPU, as a user without rights: docs/docker.md.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 clothseg
WORKDIR /home/clothseg/app

# PyTorch's own index has wheels without CUDA, which are gigabytes smaller than those of PyPI.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.txt ./
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)" \
    && pip install --no-cache-dir -r requirements.txt

COPY app.py README.md LICENSE ./
COPY clothseg ./clothseg
COPY examples ./examples

USER clothseg
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 HF_HOME=/home/clothseg/cache PYTHONUNBUFFERED=1
RUN mkdir /home/clothseg/cache
VOLUME ["/home/clothseg/cache"]
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/gradio_api/run/health', b'{\"data\": []}', {'Content-Type': 'application/json'}), timeout=8)"]
CMD ["python", "app.py"]
