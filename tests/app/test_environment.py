"""Environment variables of the app, and errors for wrong values."""

import re

import pytest

from clothseg.app import environment
from clothseg.app.environment import MAX_MEGABYTES, read_environment
from clothseg.errors import ConfigError


def test_unset_and_empty_variables_give_defaults() -> None:
    settings = read_environment({})
    assert settings == read_environment(dict.fromkeys(VARIABLES, ""))
    assert settings.model is settings.revision is settings.space is settings.temp_folder is None
    assert (settings.engine, settings.precision, settings.compare) == ("auto", "exact", ())
    assert (settings.host, settings.port, settings.temp_bytes) == ("127.0.0.1", None, MAX_MEGABYTES * 2**20)
    assert settings.private and not settings.self_check and not settings.zero_gpu


VARIABLES = {
    "CLOTHSEG_MODEL": "user/model",
    "CLOTHSEG_REVISION": "v1",
    "CLOTHSEG_ENGINE": "torch",
    "CLOTHSEG_PRECISION": "fast",
    "CLOTHSEG_SELF_CHECK": "True",
    "CLOTHSEG_COMPARE": " user/a, ,folder/b,",
    "CLOTHSEG_MAX_TEMP_MB": "10",
    "GRADIO_TEMP_DIR": "/tmp/here",
    "GRADIO_SERVER_NAME": "10.0.0.1",
    "GRADIO_SERVER_PORT": "7861",
    "SPACE_ID": "user/space",
    "SPACES_ZERO_GPU": "true",
}


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_environment(VARIABLES)
    assert (settings.model, settings.revision, settings.engine) == ("user/model", "v1", "torch")
    assert (settings.precision, settings.compare) == ("fast", ("user/a", "folder/b"))
    assert (settings.temp_bytes, settings.temp_folder) == (10 * 2**20, "/tmp/here")
    assert (settings.host, settings.port, settings.space) == ("10.0.0.1", 7861, "user/space")
    assert settings.self_check and settings.zero_gpu and not settings.private
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    assert not read_environment(VARIABLES).zero_gpu, "ZeroGPU needs its package"


@pytest.mark.parametrize(("setting", "expected"), [("true", True), ("1", True), ("yes", True), ("0", False)])
def test_boolean_values_are_parsed(setting: str, expected: bool) -> None:
    assert read_environment({"CLOTHSEG_SELF_CHECK": setting}).self_check is expected


@pytest.mark.parametrize(
    ("variables", "private"),
    [
        ({}, True),
        ({"GRADIO_SERVER_NAME": "::1"}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, False),
        ({"SPACE_ID": "user/space"}, False),
        ({"SPACE_ID": "user/space", "GRADIO_SERVER_NAME": "127.0.0.1"}, False),
    ],
)
def test_app_is_private_only_on_local_addresses(variables: dict[str, str], private: bool) -> None:
    assert read_environment(variables).private is private


@pytest.mark.parametrize("value", ["0", "-5", "1,000", "4 GB", "1e3", "9" * 20])
def test_invalid_storage_limit_raises_config_error(value: str) -> None:
    said = f"CLOTHSEG_MAX_TEMP_MB is {re.escape(value)}; give a whole number of megabytes"
    with pytest.raises(ConfigError, match=said):
        read_environment({"CLOTHSEG_MAX_TEMP_MB": value})


@pytest.mark.parametrize("value", ["0", "-1", "http", "65536", "78.6"])
def test_invalid_port_raises_config_error(value: str) -> None:
    with pytest.raises(ConfigError, match=f"GRADIO_SERVER_PORT is {value}; give a number from 1 to 65535"):
        read_environment({"GRADIO_SERVER_PORT": value})


def test_invalid_pixel_limit_is_found_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOTHSEG_MAX_PIXELS", "many")
    with pytest.raises(ConfigError, match="CLOTHSEG_MAX_PIXELS is many"):
        read_environment({})
