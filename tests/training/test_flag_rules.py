"""Every flag of transformers' `TrainingArguments` is either honoured or rejected with an explanation."""

from dataclasses import fields

from transformers import TrainingArguments

from clothseg.training.flag_rules import FIXED, LIMITS, NEEDS


PASSED_ON = {
    *("output_dir", "optim", "adam_beta1", "adam_beta2", "adam_epsilon", "optim_args"),
    *("bf16", "tf32", "activation_checkpointing", "gradient_checkpointing"),
    *("torch_compile", "torch_compile_backend", "torch_compile_mode"),
    *("logging_strategy", "logging_first_step", "log_on_each_node", "log_level", "log_level_replica", "disable_tqdm"),
    *("eval_strategy", "eval_on_start", "save_strategy", "save_on_each_node", "report_to"),
    *("push_to_hub", "hub_token", "load_best_model_at_end", "metric_for_best_model", "greater_is_better"),
    *("resume_from_checkpoint", "ignore_data_skip", "restore_callback_states_from_checkpoint", "full_determinism"),
    *("use_cpu", "dataloader_drop_last", "local_rank", "skip_memory_metrics"),
    *("ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_broadcast_buffers", "ddp_static_graph"),
    *("ddp_backend", "ddp_timeout"),
}
"""Flags that work as transformers documents them. Each was tried with transformers 5.24, except `ddp_*`,
`torch_compile*` and flags that need a GPU."""


def test_every_flag_is_classified() -> None:
    """Flags of a new transformers release must be classified by hand."""
    needing = {name for need in NEEDS for name in need.flags}
    ours = {option.name for option in fields(TrainingArguments) if option.init}
    assert ours - PASSED_ON - FIXED.keys() - LIMITS.keys() - needing == set()
    assert PASSED_ON | FIXED.keys() | LIMITS.keys() <= ours
    assert not PASSED_ON & FIXED.keys()
