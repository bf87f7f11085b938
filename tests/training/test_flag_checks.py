"""Flags without effect are rejected with one sentence; presets and flags adjust dependent defaults."""

from pathlib import Path

import pytest

from clothseg.errors import ConfigError
from clothseg.training.arguments import parse_arguments
from clothseg.training.flag_rules import METRICS


REFUSED = """
--do_train false                    | python -m clothseg evaluate
--do_eval false                     | --eval_strategy no
--do_predict                        | python -m clothseg segment
--label_smoothing_factor 0.1        | --focal_gamma
--remove_unused_columns true        | leave the option out
--label_names masks                 | leave the option out
--logging_nan_inf_filter            | ends the training
--batch_eval_metrics false          | batch by batch
--prediction_loss_only true         | batch by batch
--eval_do_concat_batches false      | batch by batch
--eval_use_gather_object true       | batch by batch
--eval_accumulation_steps 4         | batch by batch
--include_for_metrics inputs        | batch by batch
--bf16_full_eval true               | --bf16
--fp16_full_eval true               | --fp16
--average_tokens_across_devices false | all processes
--include_num_input_tokens_seen true | no tokens
--use_liger_kernel                  | language models
--use_cache true                    | language models
--neftune_noise_alpha 5             | language models
--optim_target_modules all-linear   | language models
--auto_find_batch_size true         | --gradient_accumulation_steps
--save_only_model true              | such a checkpoint cannot be resumed
--enable_jit_checkpoint true        | in any case
--accelerator_config {"split_batches":true} | leave the option out
--fsdp                              | accelerate launch
--fsdp_config x.json                | accelerate launch
--deepspeed x.json                  | accelerate launch
--train_sampling_strategy group_by_length | random or sequential
--length_column_name size           | no lengths
--debug tpu_metrics_debug           | underflow_overflow
--max_steps 0                       | 1 or more, or -1
--num_train_epochs 0                | above 0
--per_device_train_batch_size 0     | 1 or more
--per_device_eval_batch_size 0      | 1 or more
--gradient_accumulation_steps 0     | 1 or more
--save_total_limit 0                | 1 or more
--learning_rate -1                  | above 0
--logging_steps 0                   | above 0
--max_grad_norm -1                  | 0 or more
--weight_decay -1                   | 0 or more
--warmup_steps -1                   | 0 or more
--dataloader_num_workers -1         | 0 or more
--seed -1                           | from 0 to
--data_seed -1                      | from 0 to
--num_train_epochs many             | invalid float value
--lr_decay 0.99 --lr_scheduler_type cosine | two schedules
--lr_decay 0.99 --lr_scheduler_kwargs {"power":2} | two schedules
--lr_scheduler_type cosine_with_min_lr | min_lr
--lr_scheduler_type polynomial --lr_scheduler_kwargs {"powers":1} | powers
--lr_scheduler_type polynomial --lr_scheduler_kwargs power=1 | give JSON
--lr_scheduler_type warmup_stable_decay | num_decay_steps
--lr_scheduler_type constant --lr_scheduler_kwargs {"power":1} | has options
--lr_scheduler_type constant --warmup_steps 10 | constant_with_warmup
--lr_scheduler_type zigzag          | invalid choice
--optim galore_adamw                | install
--optim lion_8bit                   | install
--optim_args a=1                    | accepts none of it
--optim sgd --optim_args momentum=high | could not convert
--adam_beta1 2                      | beta
--fp16 true                         | needs a GPU
--dataloader_pin_memory true        | needs a GPU
--dataloader_persistent_workers true --dataloader_num_workers 0 | --dataloader_num_workers above 0
--dataloader_multiprocessing_context spawn --dataloader_num_workers 0 | --dataloader_num_workers above 0
--eval_strategy epoch --eval_steps 50 | --eval_strategy steps
--eval_strategy no --eval_delay 1   | --eval_strategy steps or epoch
--save_strategy epoch --save_steps 50 | --save_strategy steps
--save_strategy no --save_total_limit 3 | --save_strategy steps, epoch or best
--logging_strategy epoch --logging_steps 50 | --logging_strategy steps
--eval_strategy no --load_best_model_at_end true | save and eval strategy to match
--early_stopping_patience 2 --load_best_model_at_end false | contradicts
--metric_for_best_model iou_Hat     | one of loss, mean_iou
--activation_checkpointing_kwargs {"use_reentrant":false} | --activation_checkpointing true
--report_to nowhere                 | is unknown
--run_name mine                     | --report_to
--project mine                      | --report_to trackio
--trackio_space_id a/b              | --report_to trackio
--hub_model_id a/b                  | --push_to_hub
--hub_strategy end                  | --push_to_hub
--hub_revision main                 | --push_to_hub
--hub_private_repo true             | --push_to_hub
--model_revision main --model_name_or_path lite0 | on the Hub
--teacher_revision main             | a teacher on the Hub
--test_fraction 0.1 --split_protocol first-version | --split_protocol fraction
--min_teacher_probability 0.5       | --unlabelled_name
--distillation_temperature 3        | --distillation_weight
--class_weight 2 --class_weighting frequency | --class_weighting fixed
--class_weight_cap 2                | --class_weighting frequency
--augmentation none --class_crop 0.5 | --augmentation standard or strong
--preset better --class_weight 2    | --class_weighting fixed
--preset=worse                      | no such preset
--preset                            | expected one argument
--prese better                      | Did you mean --preset?
--evaluation_strategy epoch         | Did you mean --eval_strategy?
""".strip().splitlines()


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: line.split("|")[0].strip())
def test_options_without_effect_are_rejected(line: str) -> None:
    flags, said = (part.strip() for part in line.split("|"))
    with pytest.raises(ConfigError) as error:
        parse_arguments(["--use_cpu", "true", *flags.split()])
    assert said in str(error.value) and str(error.value).startswith(("--", "Unknown option --"))
    assert "\n" not in str(error.value)


def test_missing_tracker_packages_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clothseg.training.flag_checks.get_available_reporting_integrations", lambda: ["tensorboard"])
    with pytest.raises(ConfigError, match="--report_to wandb: its package is not installed; pip install wandb"):
        parse_arguments(["--report_to", "wandb"])
    parse_arguments(["--report_to", "tensorboard"])


@pytest.mark.parametrize("variable", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_model_sharding_launchers_are_rejected(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "true")
    with pytest.raises(ConfigError, match=variable):
        parse_arguments([])


def test_flags_that_restate_fixed_behaviour_are_accepted() -> None:
    flags = (
        "--do_train true --do_eval true --remove_unused_columns false --label_names labels --batch_eval_metrics true"
    )
    assert parse_arguments(["--use_cpu", "true", *flags.split(), "--debug", "underflow_overflow"])


@pytest.mark.parametrize("metric", [*METRICS, "eval_loss"])
def test_best_model_metric_sets_its_direction(metric: str) -> None:
    _, training = parse_arguments(["--use_cpu", "true", "--metric_for_best_model", metric])
    assert training.greater_is_better == (not metric.endswith("loss"))


@pytest.mark.parametrize(("metric", "mode"), [("mean_iou", {"mode": "max"}), ("loss", None)])
@pytest.mark.parametrize("schedule", ["reduce_lr_on_plateau", "greedy"])
def test_metric_schedules_get_the_direction_of_the_metric(schedule: str, metric: str, mode: dict | None) -> None:
    flags = ["--use_cpu", "true", "--lr_scheduler_type", schedule, "--metric_for_best_model", metric]
    assert parse_arguments(flags)[1].lr_scheduler_kwargs == mode


def test_schedule_replaces_the_decay(tmp_path: Path) -> None:
    cpu = ["--use_cpu", "true"]
    parsing, training = parse_arguments([*cpu, "--lr_scheduler_type", "cosine", "--warmup_steps", "10"])
    assert parsing.lr_decay == 0 and training.lr_scheduler_type == "cosine" and training.warmup_steps == 10
    assert any("cosine replaces the decay" in notice for notice in parsing.notices)
    parsing, training = parse_arguments([*cpu, "--warmup_steps", "10"])
    assert parsing.lr_decay == 0.9998 and training.warmup_steps == 10
    own = tmp_path / "own.yaml"
    own.write_text("lr_decay: 0.999\n")
    assert parse_arguments([*cpu, "--preset", str(own), "--lr_scheduler_type", "linear"])[0].lr_decay == 0
    assert parse_arguments([*cpu, "--preset", "better", "--lr_decay", "0.99"])[0].lr_decay == 0.99


def test_eval_steps_implies_the_steps_strategy(tmp_path: Path) -> None:
    _, training = parse_arguments(["--use_cpu", "true", "--eval_steps", "50"])
    assert training.eval_strategy == training.save_strategy == "steps"
    assert (training.eval_steps, training.save_steps) == (50, 250)
    own = tmp_path / "own.yaml"
    own.write_text("eval_strategy: epoch\nsave_strategy: epoch\n")
    _, training = parse_arguments(["--use_cpu", "true", "--preset", str(own), "--eval_steps", "50"])
    assert training.eval_strategy == "steps" and training.save_strategy == "epoch"


@pytest.mark.parametrize("form", [["--preset=lite"], ["--preset", "lite"]])
def test_preset_flag_works_with_and_without_equals_sign(form: list[str]) -> None:
    parsing, training = parse_arguments(["--use_cpu", "true", *form, "--num_train_epochs", "2"])
    assert parsing.model_name_or_path == "lite2" and training.num_train_epochs == 2


def test_several_presets_apply_in_order(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("num_train_epochs: 3\nseed: 7\nlr_scheduler_type: polynomial\nlr_scheduler_kwargs: {power: 2.0}\n")
    for order, epochs in ((["lite", str(own)], 3), ([str(own), "lite"], 18)):
        flags = [f"--preset={order[0]}", "--preset", order[1]]
        parsing, training = parse_arguments(["--use_cpu", "true", *flags])
        assert (parsing.model_name_or_path, training.num_train_epochs, training.seed) == ("lite2", epochs, 7)
        assert training.lr_scheduler_type == ("polynomial" if epochs == 3 else "cosine")
        assert training.lr_scheduler_kwargs == ({"power": 2.0} if epochs == 3 else {})
    own.write_text("preset: lite\n")
    with pytest.raises(ConfigError, match="names another preset"):
        parse_arguments(["--preset", str(own)])
