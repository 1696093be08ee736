"""The real module of TF-Hub: `pytest -m hub` where it answers or is cached."""

import pytest

from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.muse import MuseEncoder
from muse_jobs.encoder.reference import compare_with_published
from muse_jobs.encoder.sources import TFHUB_MUSE, _why_unreachable, load_encoder

pytestmark = pytest.mark.hub


@pytest.fixture(scope="module", autouse=True)
def reachable():
    problem = _why_unreachable(TFHUB_MUSE)
    if problem is not None:
        pytest.skip(f"{TFHUB_MUSE}: {problem}")


@pytest.mark.parametrize("convert", [False, True])
def test_the_real_module_gives_the_published_values(convert):
    encoder = load_encoder("tfhub", convert=convert)
    assert isinstance(encoder, MuseEncoder) == convert
    assert encoder.count_params() == 68_927_232
    agreement = compare_with_published(text_encoder(encoder))
    assert agreement.max_difference < 1e-4
