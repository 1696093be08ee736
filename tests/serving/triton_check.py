"""A check by hand: an exported folder in a real Triton server, through pytriton.

    python -m venv triton && triton/bin/pip install nvidia-pytriton==0.7.0 \
        tensorflow==2.20.0 tensorflow-text==2.20.1 "numpy<2"
    triton/bin/python tests/serving/triton_check.py savedmodels/muse_jobs/1

Triton brings a Python of its own release; beside 3.11.7 it failed with "RLock has no
_recursion_count" until the environment had a sitecustomize.py with

    import threading
    from multiprocessing import resource_tracker
    resource_tracker._resource_tracker._lock = threading._PyRLock()

Triton speaks KServe's V2 protocol and runs the folder's signature in this process. It
needs numpy below 2, so it has an environment of its own and no place in the test run.
"""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the tokeniser's ops
from pytriton.client import ModelClient
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

TEXTS = ["พนักงานขาย", "Software Engineer", "", "เจ้าหน้าที่ HR (ด่วน!)"]


def main(folder: str) -> None:
    """Serves the folder, asks it, and compares with the signature called directly."""
    signature = tf.saved_model.load(folder).signatures["embed"]

    @batch
    def embed(inputs: np.ndarray) -> dict[str, np.ndarray]:
        texts = tf.constant(inputs[:, 0], tf.string)
        return {"outputs": signature(inputs=texts)["outputs"].numpy()}

    config = TritonConfig(http_port=8010, grpc_port=8011, metrics_port=8012)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="muse_jobs",
            infer_func=embed,
            inputs=[Tensor(name="inputs", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="outputs", dtype=np.float32, shape=(512,))],
            config=ModelConfig(max_batch_size=64),
        )
        triton.run()
        asked = np.array([[text.encode()] for text in TEXTS], object)
        with ModelClient("localhost:8010", "muse_jobs") as client:
            served = client.infer_batch(inputs=asked)["outputs"]
    expected = signature(inputs=tf.constant(TEXTS))["outputs"].numpy()
    difference = float(np.abs(served - expected).max())
    print(f"Triton: {len(TEXTS)} texts, largest difference {difference}")
    if difference > 1e-5:
        sys.exit("the vectors differ")


if __name__ == "__main__":
    main(sys.argv[1])
