"""A KServe server of an exported folder, with TensorFlow and its text ops alone.

    python kserve_server.py --model_dir savedmodels/muse_jobs/1 --http_port 8080

It answers KServe's V1 protocol, which is TensorFlow Serving's REST by rows, by the
folder's signatures.
"""

import argparse
import asyncio
import base64
import binascii

import kserve
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the tokeniser's ops
from kserve.errors import InvalidInput


class ExportedFolder(kserve.Model):
    def __init__(self, name: str, folder: str):
        super().__init__(name)
        self.signatures = tf.saved_model.load(folder).signatures
        # TensorFlow prepares a signature when it is first called. Requests that come
        # together then would each do it: TensorFlow Serving has the warm-up file.
        for signature in self.signatures.values():
            names = signature.structured_input_signature[1]
            signature(**{name: tf.constant(["x"]) for name in names})
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None) -> dict:
        # TensorFlow lets other threads run; the event loop must not wait for it.
        return await asyncio.to_thread(self.answer, payload)

    def answer(self, payload: object) -> dict:
        rows = payload.get("instances") if isinstance(payload, dict) else None
        if not isinstance(rows, list):
            raise InvalidInput('expected "instances", a list')
        name = payload.get("signature_name", "serving_default")
        if name not in self.signatures:
            raise InvalidInput(f"signature_name: expected {', '.join(self.signatures)}")
        signature = self.signatures[name]
        names = sorted(signature.structured_input_signature[1])
        columns = {key: [text_of(row, key, names) for row in rows] for key in names}
        outputs = signature(
            **{k: tf.constant(v, tf.string) for k, v in columns.items()}
        )
        values = {key: plain(tensor) for key, tensor in outputs.items()}
        if len(values) == 1:
            return {"predictions": next(iter(values.values()))}
        return {
            "predictions": [
                dict(zip(values, row, strict=True))
                for row in zip(*values.values(), strict=True)
            ]
        }


def text_of(row: object, name: str, names: list[str]) -> bytes:
    """A row's text for an input: a string, {"b64": ...}, or an object of inputs."""
    if isinstance(row, dict) and set(row) == set(names):
        row = row[name]
    elif len(names) > 1:
        raise InvalidInput(f"instances: expected objects of {', '.join(names)}")
    if isinstance(row, str):
        return row.encode()
    if isinstance(row, dict) and isinstance(row.get("b64"), str):
        try:
            return base64.b64decode(row["b64"], validate=True)
        except binascii.Error as error:
            raise InvalidInput("instances: expected base64 in b64") from error
    raise InvalidInput(f"{name}: expected strings, received {type(row).__name__}")


def plain(tensor: tf.Tensor) -> list:
    values = tensor.numpy().tolist()
    if tensor.dtype == tf.string:
        return [[text.decode() for text in row] for row in values]
    return values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--model_dir", required=True)
    args = parser.parse_args()
    kserve.ModelServer().start([ExportedFolder("muse_jobs", args.model_dir)])
