"""Private parts of torch, transformers and OpenVINO that the engines use still exist.

A comment at each use gives the reason.
"""

import ctypes
import inspect
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.utils import fusion
from transformers.models.segformer import modeling_segformer

from clothseg.engines import forking


def test_torch_reports_cpu_bfloat16_support() -> None:
    assert isinstance(torch.ops.mkldnn._is_mkldnn_bf16_supported(), bool)


def test_torch_fuses_batch_normalisation_into_convolutions() -> None:
    assert list(inspect.signature(fusion.fuse_conv_bn_eval).parameters)[:2] == ["conv", "bn"]


@pytest.mark.skipif(sys.platform != "linux" or not torch.backends.mkl.is_available(), reason="torch without MKL")
def test_torch_library_frees_mkl_buffers() -> None:
    library = ctypes.CDLL(str(Path(torch.__file__).parent / forking._LIBRARY))
    assert hasattr(library, forking._FREE_BUFFERS)


def test_transformers_has_the_segformer_decode_head() -> None:
    parameters = inspect.signature(modeling_segformer.SegformerDecodeHead.__init__).parameters
    assert "config" in parameters


def test_openvino_frontend_converts_torch_models() -> None:
    from clothseg.engines.openvino_engine import import_openvino

    import_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    assert {"example_input", "trace_kwargs"} <= set(inspect.signature(TorchScriptPythonDecoder).parameters)
    assert callable(FrontEndManager().load_by_framework)
