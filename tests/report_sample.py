"""A report as `muse_jobs.evaluate` makes it: made-up figures, real titles."""


def estimate(mean, low=None, high=None, **more):
    return {"mean": mean, "low": low, "high": high, **more}


def query(text, language, lbkl, seen_th, *results):
    return {
        "query": text,
        "language": language,
        "lbkl": lbkl,
        "truth_th": 0.5,
        "seen_th": seen_th,
        "results": [
            {"text": text, "language": language, "relevant": relevant}
            for text, language, relevant in results
        ],
    }


def sample_report():
    """Two benchmarks, the second without language bias; two encoders."""
    biased = [
        query(
            "พนักงานขายทางโทรศัพท์",
            "th",
            1.62,
            1.0,
            ("เทเลเซลส์", "th", True),
            ("พนักงานขายนอกสถานที่", "th", False),
            ("เจ้าหน้าที่ Telesales", "mixed", True),
            ("พนักงานขายหน่วยรถ", "th", False),
            ("เซลส์วิ่งตลาด", "th", False),
            ("เจ้าหน้าที่บริหารทรัพยากรบุคคลและพัฒนาองค์กร", "th", False),
            ("3322", "und", False),
        ),
        query(
            "Outside Sales Representative",
            "en",
            1.62,
            0.0,
            ("Field Sales Representative", "en", True),
            ("Territory Sales Executive", "en", True),
            ("Telesales Agent", "en", False),
            ("Route Sales Driver", "en", False),
        ),
        query(
            "ผู้แทนขาย",
            "th",
            0.93,
            0.9,
            ("พนักงานขายนอกสถานที่", "th", True),
            ("Field Sales Representative", "en", True),
        ),
    ]
    titles = {
        "name": "titles",
        "title": "Title synonyms, balanced",
        "about": "ISCO-08 titles in Thai, and as many ESCO labels of each unit.",
        "counts": {
            "queries": {"th": 290, "en": 290},
            "entries": {"th": 290, "en": 290},
            "clusters": 238,
        },
        "settings": {"k": 10, "epsilon": 0.01, "direction": "P||Q"},
        "labels": {
            "recall_at_10_combined": "Recall@10, combined pool",
            "recall_at_10_th_en": "Recall@10, Thai to English",
            "lbkl": "LBKL@10",
            "lbkl_blind": "LBKL@10 of blind rankings",
            "lbkl_excess": "LBKL@10 above blind",
        },
        "figures": {
            "recall_at_10_combined": {
                "muse_jobs/1": estimate(0.587, 0.552, 0.621),
                "plain mUSE": estimate(0.439, 0.401, 0.476),
            },
            "recall_at_10_th_en": {
                "muse_jobs/1": estimate(0.667, 0.621, 0.712),
                "plain mUSE": estimate(0.637, 0.590, 0.684),
            },
            "lbkl": {
                "muse_jobs/1": estimate(0.064, 0.052, 0.079),
                "plain mUSE": estimate(0.346, 0.297, 0.398),
            },
            "lbkl_blind": {
                "muse_jobs/1": estimate(0.053),
                "plain mUSE": estimate(0.053, float("nan"), float("nan")),
            },
            "lbkl_excess": {
                "muse_jobs/1": estimate(0.011, -0.001, 0.026),
                "plain mUSE": estimate(0.293, 0.244, 0.345),
            },
        },
        "differences": {
            "recall_at_10_combined": {
                "plain mUSE": estimate(0.148, 0.116, 0.181, p_value=0.0001)
            },
            "recall_at_10_th_en": {
                "plain mUSE": estimate(0.03, -0.004, 0.066, p_value=0.084)
            },
            "lbkl": {"plain mUSE": estimate(-0.282, -0.332, -0.235, p_value=0.0001)},
            "lbkl_excess": {
                "plain mUSE": estimate(-0.282, -0.332, -0.235, p_value=0.0001)
            },
        },
        "histograms": {
            "muse_jobs/1": {
                "th": [0, 1, 6, 21, 58, 92, 68, 31, 10, 2, 1],
                "en": [2, 5, 14, 39, 71, 84, 49, 18, 6, 2, 0],
            },
            "plain mUSE": {
                "th": [0, 2, 5, 12, 25, 38, 43, 49, 46, 38, 32],
                "en": [41, 44, 47, 43, 41, 33, 20, 12, 6, 2, 1],
            },
        },
        "truth": {"th": 0.5, "en": 0.5},
        "lbkl_by_k": {
            "k": [1, 2, 5, 10, 20, 50],
            "blind": [1.62, 0.78, 0.15, 0.053, 0.024, 0.009],
            "ceiling": [1.62, 1.62, 1.62, 1.62, 1.62, 1.62],
            "encoders": {
                "muse_jobs/1": [1.51, 0.71, 0.17, 0.064, 0.031, 0.014],
                "plain mUSE": [1.57, 1.05, 0.53, 0.346, 0.262, None],
            },
        },
        "worst": {"muse_jobs/1": biased, "plain mUSE": biased[:2]},
    }
    occupations = {
        "name": "occupations",
        "title": "Occupation classification",
        "about": "The sub-major group of a title, learned from titles of other units.",
        "counts": {"queries": 580, "clusters": 238},
        "labels": {"regression_accuracy_at_1": "Accuracy@1, regression"},
        "figures": {
            "regression_accuracy_at_1": {
                "muse_jobs/1": estimate(0.712, 0.671, 0.752),
                "plain mUSE": estimate(float("nan"), None, None),
            }
        },
        "differences": {},
    }
    return {
        "title": "Evaluation of muse_jobs/1",
        "encoders": [
            {"name": "muse_jobs/1", "source": "savedmodels/muse_jobs/1"},
            {"name": "plain mUSE", "source": "packaged"},
        ],
        "benchmarks": [titles, occupations],
        "warnings": [
            "titles: Recall@10 is 0.439 in the combined pool and 0.597 in the separate "
            "ones: language bias is left"
        ],
        "versions": {"muse-jobs": "0.1.0", "tensorflow": "2.21.0"},
    }
