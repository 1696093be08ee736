"""Peak memory and seconds of training, against its own forward and backward passes.

Each setting runs in a process of its own: packaged weights, default recipe, sample
postings, descriptions cut at 128 tokens.
"""

import json
import statistics
import subprocess
import sys
import time

from benchmarks.platform_scale import peak_gigabytes
from muse_jobs.commandline import quiet_tensorflow

MAX_TOKENS = 128
STEPS = 5


def measure() -> dict[str, float]:
    """Peak GB and seconds a step by setting, and their ratios."""
    settings = {
        "jt, batch 512": ("jt", 512),
        "full cycle, batch 512": ("jt,jd,jf", 512),
        "jt, batch 8192": ("jt", 8192),
    }
    found = {name: _in_own_process(*setting) for name, setting in settings.items()}
    figures = {}
    for name, own in found.items():
        figures[f"{name}: peak GB"] = own["peak"]
        figures[f"{name}: seconds"] = own["step"]
        figures[f"{name}: step / forward and backward"] = own["step"] / own["passes"]
    small, large = found["jt, batch 512"], found["jt, batch 8192"]
    figures["jt: peak at 8192 / peak at 512"] = large["peak"] / small["peak"]
    figures["jt: seconds at 8192 / 16 times 512"] = large["step"] / (16 * small["step"])
    return figures


def _in_own_process(tasks: str, batch_size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.training_memory", tasks]
    command.append(str(batch_size))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def run(tasks: str, batch_size: int) -> dict[str, float]:
    """Seconds of a step and of its passes alone, by turns, and the peak."""
    with quiet_tensorflow():
        import tensorflow as tf

        from benchmarks.training_cycle import model_and_examples
        from muse_jobs.data.sample.generator import sample_postings
        from muse_jobs.encoder.weights import packaged_encoder
        from muse_jobs.training.tasks import cycle_batches

    model, examples = model_and_examples(
        packaged_encoder(),
        sample_postings(postings_per_role=max(12, batch_size // 256)),
        max_tokens=MAX_TOKENS,
        tasks=tasks.split(","),
    )

    @tf.function
    def passes(batches):
        for head in model.heads:
            with tf.GradientTape() as tape:
                loss = model.task_loss(head, batches[head.name])
            variables = [*model.encoder.trainable_variables, *head.trainable_variables]
            gradients = tape.gradient(loss, [v.value for v in variables])
            for gradient in gradients:
                # Sums, so that nothing is left out as unused.
                values = getattr(gradient, "values", gradient)
                tf.debugging.check_numerics(tf.reduce_sum(values), "gradient")

    steps, alone = [], []
    cycles = cycle_batches(examples, batch_size=batch_size, seed=0)
    for number, batch in enumerate(cycles.take(STEPS + 1)):
        # First the step: its peak must not be that of the other function.
        started = time.perf_counter()
        model.train_on_batch(batch)
        steps.append(time.perf_counter() - started)
        if number == 1:
            peak = peak_gigabytes()
    for batch in cycles.take(STEPS + 1):
        started = time.perf_counter()
        passes(batch)
        alone.append(time.perf_counter() - started)
    return {
        "step": statistics.median(steps[1:]),
        "passes": statistics.median(alone[1:]),
        "peak": peak,
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
