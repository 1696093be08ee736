"""Intersection over union, written out, for tests."""


def iou(first, second):
    first, second = set(first), set(second)
    union = len(first | second)
    return len(first & second) / union if union else 0.0
