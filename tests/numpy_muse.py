"""mUSE's forward pass for one text in NumPy, written apart from the Keras layer.

It pads and loops where the layer works on flat tokens, so that agreement is evidence.
"""

import numpy as np

LEFT = {2: 0, 3: 1, 5: 2}


def layer_norm(x, gamma, beta, epsilon=1e-12):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def convolve(x, kernel, bias, left):
    width = len(kernel)
    padded = np.pad(x, [(left, width - 1 - left), (0, 0)])
    rows = [
        sum(padded[t + k] @ kernel[k] for k in range(width)) + bias
        for t in range(len(x))
    ]
    return np.maximum(rows, 0)


def forward(ids, embedding, arrays, left=LEFT, epsilon=1e-12):
    """The unit vector of one text from the package's arrays, in float64."""
    e = embedding[ids].astype(np.float64)
    features = [e]
    for n in (2, 3, 5):
        x = e @ arrays[f"proj{n}"] + arrays[f"proj_b{n}"]
        x = layer_norm(x, arrays[f"ln_g{n}"], arrays[f"ln_b{n}"], epsilon)
        for number in (1, 2):
            kernel = arrays[f"w{number}_{n}"].reshape(n, 256, 256)
            x = x + convolve(x, kernel, arrays[f"b{number}_{n}"], left[n])
        features.append(x)
    f = layer_norm(
        np.concatenate(features, axis=1), arrays["ln_g"], arrays["ln_b"], epsilon
    )
    m = (f @ arrays["cnn_W"] + arrays["cnn_b"]).sum(axis=0) / np.sqrt(len(ids))
    y0 = np.maximum(m @ arrays["d0"], 0)
    y1 = np.maximum(m @ arrays["p1"] + y0 @ arrays["d1"], 0)
    y2 = np.maximum(y1 @ arrays["d2"], 0)
    z = np.tanh(y1 @ arrays["p3"] + y2 @ arrays["d3"])
    return z / np.linalg.norm(z)
