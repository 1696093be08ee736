import keras
import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.data.postings import field_labels
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.training.heads import FieldHead, MatchingHead, RankingHead
from muse_jobs.training.model import MultiTaskEncoder
from muse_jobs.training.optimizers import FusedAdam
from muse_jobs.training.recipes import RECIPES
from muse_jobs.training.tasks import cycle_batches, field_examples, matching_examples
from muse_jobs.training.title_pairs import ranking_examples
from tests.tiny import TinyEncoder

POSTINGS = sample_postings(postings_per_role=1)[:150]
LABELS = field_labels(POSTINGS)


def batches(tasks=("jt", "jd", "jf"), size=24):
    makers = {
        "jt": lambda: ranking_examples(POSTINGS),
        "jd": lambda: matching_examples(POSTINGS),
        "jf": lambda: field_examples(POSTINGS, LABELS),
    }
    return cycle_batches({t: makers[t]() for t in tasks}, batch_size=size, seed=0)


def make(tasks=("jt", "jd", "jf"), optimizer=None, **options):
    keras.utils.set_random_seed(5)
    makers = {
        "jt": lambda: RankingHead(RECIPES["default"]),
        "jd": lambda: MatchingHead(8),
        "jf": lambda: FieldHead(8, LABELS),
    }
    model = MultiTaskEncoder(TinyEncoder(), [makers[t]() for t in tasks], **options)
    model.compile(optimizer or FusedAdam(0.01))
    return model


def weights_of(layer):
    return [v.numpy().copy() for v in layer.trainable_variables]


def test_losses_equal_an_independent_computation():
    model = make(max_tokens=6)
    batch = next(iter(batches()))
    found = model.test_step(batch)

    def encode(texts):
        return model.encoder(texts, max_tokens=6).numpy().astype(float)

    def dense_stack(head, x):
        layers = [layer for layer in head.layers.layers if layer.weights]
        for number, layer in enumerate(layers):
            kernel, bias = (w.astype(float) for w in layer.get_weights())
            x = x @ kernel + bias
            x = np.maximum(x, 0) if number < len(layers) - 1 else x
        return x

    def cross_entropy(logits, labels):
        p = 1 / (1 + np.exp(-logits))
        return -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))

    jd = {k: v.numpy() for k, v in batch["jd"].items()}
    u, v = encode(jd["descriptions"]), encode(jd["titles"])
    features = np.concatenate([u, v, np.abs(u - v), u * v], axis=1)
    assert features.shape == (24, 32)
    logits = dense_stack(model.head("jd"), features)[:, 0]
    assert float(found["jd_loss"]) == pytest.approx(
        cross_entropy(logits, jd["labels"]), rel=1e-4
    )

    jf = {k: v.numpy() for k, v in batch["jf"].items()}
    logits = dense_stack(model.head("jf"), encode(jf["texts"]))
    assert logits.shape == (24, len(LABELS))
    assert float(found["jf_loss"]) == pytest.approx(
        cross_entropy(logits, jf["fields"]), rel=1e-4
    )

    jt = {k: v.numpy() for k, v in batch["jt"].items()}
    thai, english = encode(jt["queries"]), encode(jt["targets"])
    losses = []
    for queries, targets in ((thai, english), (english, thai)):
        for i in range(24):
            total = np.exp(queries[i] @ targets[i] / 0.05)
            for j in range(24):
                if jt["groups"][j] != jt["groups"][i]:
                    total += np.exp(queries[i] @ targets[j] / 0.05)
                    total += np.exp(queries[i] @ queries[j] / 0.05)
            losses.append(np.log(total) - queries[i] @ targets[i] / 0.05)
    assert float(found["jt_loss"]) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("task", ["jt", "jd", "jf"])
def test_a_task_leaves_the_other_heads_alone(task):
    model = make()
    before = {head.name: weights_of(head) for head in model.heads}
    shared = weights_of(model.encoder)
    batch = next(iter(batches()))
    only = MultiTaskEncoder(model.encoder, [model.head(task)])
    only.compile(FusedAdam(0.01))
    only.train_step(batch)
    for head in model.heads:
        changed = [
            not np.array_equal(old, new)
            for old, new in zip(before[head.name], weights_of(head), strict=True)
        ]
        assert all(changed) if head.name == task else not any(changed)
    assert not np.array_equal(shared[0], weights_of(model.encoder)[0])


def test_one_step_changes_the_rows_of_the_batch_and_no_others():
    model = make(tasks=("jt",))
    batch = next(iter(batches(tasks=("jt",))))
    before = model.encoder.table.numpy().copy()
    model.train_step(batch)
    moved = model.encoder.table.numpy() != before
    changed = set(np.flatnonzero(moved.any(axis=1)))
    texts = tf.concat([batch["jt"]["queries"], batch["jt"]["targets"]], axis=0)
    assert changed == set(model.encoder.rows(texts).values.numpy())


def test_tasks_are_updated_one_after_the_other():
    """A cycle equals three steps with one optimizer, in the order of the heads."""
    batch = next(iter(batches()))
    cycle = make()
    cycle.train_step(batch)
    assert int(cycle.optimizer.iterations) == 3

    steps = make()
    for head in steps.heads:
        with tf.GradientTape() as tape:
            loss = steps.task_loss(head, batch[head.name])
        variables = steps.encoder.trainable_variables + head.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in variables])
        steps.optimizer.apply_gradients(zip(gradients, variables, strict=True))
    for one, other in zip(weights_of(cycle), weights_of(steps), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    "tasks", [("jt",), ("jd",), ("jf",), ("jt", "jf"), ("jt", "jd", "jf")]
)
def test_works_as_any_keras_model(tasks, tmp_path):
    model = make(tasks)
    seen = []
    history = model.fit(
        batches(tasks),
        steps_per_epoch=8,
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append(e))
        ],
    ).history
    assert set(history) == {f"{task}_loss" for task in tasks}
    assert all(values[-1] < values[0] for values in history.values())
    assert seen == [0, 1, 2]
    figures = model.evaluate(batches(tasks), steps=2, verbose=0, return_dict=True)
    assert set(figures) == set(history)

    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = make(tasks)
    texts = tf.constant(["พนักงาน ขาย", "sales"])
    assert not np.allclose(other(texts), model(texts))
    other.load_weights(path)
    np.testing.assert_allclose(other(texts), model(texts))
    np.testing.assert_allclose(model.predict(texts, verbose=0), model(texts), rtol=1e-5)


def test_task_weights_scale_the_loss():
    batch = next(iter(batches()))
    plain, weighted = (
        make().test_step(batch),
        make(task_weights={"jd": 3.0}).test_step(batch),
    )
    expected = 3 * float(plain["jd_loss"])
    assert float(weighted["jd_loss"]) == pytest.approx(expected, rel=1e-6)
    assert float(weighted["jt_loss"]) == float(plain["jt_loss"])


def test_no_head_and_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="one head at least"):
        MultiTaskEncoder(TinyEncoder(), [])
    with pytest.raises(ValueError, match="received jx"):
        make(task_weights={"jx": 1.0})


def test_a_step_on_the_real_encoder_moves_the_batchs_rows(encoder):
    before = encoder.get_weights()
    try:
        model = MultiTaskEncoder(encoder, [RankingHead(RECIPES["default"])])
        model.compile(FusedAdam(3e-5))
        batch = next(iter(batches(("jt",), size=8)))
        model.train_on_batch(batch)
        moved = np.flatnonzero((encoder.embedding.numpy() != before[0]).any(axis=1))
        texts = tf.concat([batch["jt"]["queries"], batch["jt"]["targets"]], axis=0)
        assert set(moved) == set(encoder.tokenize(texts).values.numpy())
        assert np.abs(encoder.embedding.numpy() - before[0]).max() < 1e-4
    finally:
        encoder.set_weights(before)
