"""Large batches in bounded memory: behind the first chunk nothing is kept."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# (tokens, ...) tokens, (texts + 1,) int64 row splits -> (texts, dim) vectors
Network = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def in_chunks(
    network: Network,
    embedded: tf.Tensor,
    row_splits: tf.Tensor,
    *,
    tokens: int,
    output_dim: int,
    recompute: bool = False,
) -> tf.Tensor:
    """``network(embedded, row_splits)`` with the activations of one chunk in memory.

    The texts are taken in chunks of ``tokens`` tokens at most; a longer text is a chunk
    of its own. With ``recompute`` the first chunk keeps its activations for the
    gradient; those of the others are given up and computed again when it passes.
    Values and gradients are those of the whole batch. (Gradient checkpointing, Chen et
    al. 2016, arXiv 1604.06174; with a loss over the whole batch it is gradient caching,
    Gao et al. 2021, arXiv 2101.06983.)

    Args:
        network: encodes texts, each by itself.
        embedded: (tokens, dim); without ``recompute`` also (tokens,) ids, which the
            network looks up, so that no more than a chunk of them is embedded.
        row_splits: (texts + 1,) int64, where each text begins.
        tokens: of a chunk.
        output_dim: of the network's vectors.
        recompute: for training. TensorFlow keeps a custom gradient and the graph around
            it until the process ends, so that nothing else should ask for it; without
            it a gradient keeps the activations of all chunks.

    Returns:
        (texts, output_dim).
    """
    texts = tf.size(row_splits) - 1

    def end_of(start: tf.Tensor) -> tf.Tensor:
        """The text behind the last one of the chunk that begins at ``start``."""
        limit = row_splits[start] + tokens
        end = tf.searchsorted(row_splits, [limit], side="right")[0] - 1
        return tf.minimum(tf.maximum(end, start + 1), texts)

    def part(start: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        splits = row_splits[start : end + 1]
        return embedded[splits[0] : splits[-1]], splits - splits[0]

    first = end_of(tf.constant(0))
    kept = network(*part(tf.constant(0), first))
    rest = _from(first, network, part, end_of, texts, output_dim)
    further = tf.custom_gradient(rest)(embedded) if recompute else rest(embedded)[0]
    return tf.concat([kept, further], axis=0)


def _from(first, network, part, end_of, texts, output_dim: int):
    """A function of the embedded tokens, as `tf.custom_gradient` takes it: the vectors
    of the texts from ``first`` on, and their gradient chunk by chunk."""

    def more(start, *_):
        return start < texts

    def rest(embedded: tf.Tensor):
        def encode(start, done):
            end = end_of(start)
            return end, done.write(done.size(), network(*part(start, end)))

        done = _pieces(tf.zeros((0, output_dim)))
        _, done = tf.while_loop(more, encode, (first, done), parallel_iterations=1)

        def gradient(upstream: tf.Tensor | tf.IndexedSlices, variables=()):
            upstream = tf.convert_to_tensor(upstream)

            def pass_on(start, found, *sums):
                end = end_of(start)
                tokens, splits = part(start, end)
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch([tokens, *variables])
                    vectors = network(tokens, splits)
                of_tokens, *of_variables = tape.gradient(
                    vectors,
                    [tokens, *variables],
                    output_gradients=upstream[start - first : end - first],
                )
                found = found.write(found.size(), of_tokens)
                return end, found, *map(tf.add, sums, of_variables)

            of_kept = tf.shape(embedded)[0] - tf.shape(part(first, texts)[0])[0]
            found = _pieces(tf.zeros((of_kept, embedded.shape[1])))
            sums = [tf.zeros(variable.shape) for variable in variables]
            _, found, *sums = tf.while_loop(
                more, pass_on, (first, found, *sums), parallel_iterations=1
            )
            return found.concat(), list(sums)

        return done.concat(), gradient

    return rest


def _pieces(piece: tf.Tensor) -> tf.TensorArray:
    """An array of pieces to concatenate, with its first."""
    array = tf.TensorArray(
        tf.float32,
        size=0,
        dynamic_size=True,
        clear_after_read=False,
        infer_shape=False,
        element_shape=(None, piece.shape[1]),
    )
    return array.write(0, piece)
