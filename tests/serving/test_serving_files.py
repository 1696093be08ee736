"""The files in savedmodels/serving, read as the server, compose and Kubernetes do."""

from pathlib import Path

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from muse_jobs.serving.warmup import BATCH_SIZES

SERVING = Path(__file__).parents[2] / "savedmodels" / "serving"
INT64 = "google.protobuf.Int64Value"
# The two messages that tensorflow-serving-api does not carry, by their published
# definitions (session_bundle_config.proto and monitoring_config.proto).
MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": (1, INT64),
        "batch_timeout_micros": (2, INT64),
        "max_enqueued_batches": (3, INT64),
        "num_batch_threads": (4, INT64),
    },
    "MonitoringConfig": {"prometheus_config": (1, "checked.PrometheusConfig")},
    "PrometheusConfig": {"enable": (1, bool), "path": (2, str)},
}


@pytest.fixture(scope="module")
def message():
    """The classes of `MESSAGES`, by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name="checked.proto",
        package="checked",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    kind = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        own = file.message_type.add(name=name)
        for field, (number, type_) in fields.items():
            added = own.field.add(name=field, number=number, label=kind.LABEL_OPTIONAL)
            if isinstance(type_, str):
                added.type, added.type_name = kind.TYPE_MESSAGE, "." + type_
            else:
                added.type = kind.TYPE_BOOL if type_ is bool else kind.TYPE_STRING
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles(["checked.proto"], pool)
    return lambda name: classes[f"checked.{name}"]()


@pytest.mark.parametrize("name", ["models.config", "models.canary.config"])
def test_model_configs(name):
    parsed = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((SERVING / name).read_text(), parsed)
    (entry,) = parsed.model_config_list.config
    assert (entry.name, entry.base_path) == ("muse_jobs", "/models/muse_jobs")
    assert entry.model_platform == "tensorflow"
    served = set(entry.model_version_policy.specific.versions)
    assert served == set(entry.version_labels.values())
    assert entry.version_labels["stable"] == 1


def test_batching_fits_the_warm_up(message):
    parsed = text_format.Parse(
        (SERVING / "batching.config").read_text(), message("BatchingParameters")
    )
    # A request of more texts would be refused.
    assert parsed.max_batch_size.value >= max(BATCH_SIZES)
    assert parsed.batch_timeout_micros.value == 1000
    assert parsed.num_batch_threads.value and parsed.max_enqueued_batches.value


def test_monitoring_is_where_the_manifest_says(message):
    parsed = text_format.Parse(
        (SERVING / "monitoring.config").read_text(), message("MonitoringConfig")
    )
    assert parsed.prometheus_config.enable
    deployment, _ = yaml.safe_load_all((SERVING / "kubernetes.yaml").read_text())
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == parsed.prometheus_config.path


def test_compose_and_kubernetes_start_the_server_alike():
    compose = yaml.safe_load((SERVING / "compose.yaml").read_text())
    service = compose["services"]["serving"]
    deployment, _ = yaml.safe_load_all((SERVING / "kubernetes.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert service["command"] == container["args"]
    assert service["image"] == container["image"]
    for flag in service["command"]:
        _, _, value = flag.partition("=")
        if value.startswith("/config/"):
            assert (SERVING / value.removeprefix("/config/")).is_file()
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert service["healthcheck"]["test"][0] == "CMD"
