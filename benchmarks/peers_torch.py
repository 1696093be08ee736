"""The rivals' side of `benchmarks.peers`: encodes and trains as stdin asks.

A process of its own, with PyTorch and transformers and without TensorFlow. Weights are
random: speed does not depend on them. A line of stdin is a request, a line of stdout
its answer, both JSON.
"""

import json
import sys
import time

try:
    import torch
    from transformers import (
        DistilBertConfig,
        DistilBertModel,
        XLMRobertaConfig,
        XLMRobertaModel,
    )
except ImportError as error:
    print(json.dumps({"missing": error.name}))
    sys.exit()

TEMPERATURE = 0.05
LEARNING_RATE = 3e-5


class BgeM3(torch.nn.Module):
    """BGE-M3's architecture: XLM-RoBERTa-large, the first token's vector."""

    vocabulary = 250_002
    padding = 1

    def __init__(self):
        super().__init__()
        config = XLMRobertaConfig(
            vocab_size=self.vocabulary,
            hidden_size=1024,
            num_hidden_layers=24,
            num_attention_heads=16,
            intermediate_size=4096,
            max_position_embeddings=8194,
            type_vocab_size=1,
            pad_token_id=self.padding,
        )
        self.transformer = XLMRobertaModel(config, add_pooling_layer=False)

    def forward(self, ids, mask):
        states = self.transformer(ids, attention_mask=mask).last_hidden_state
        return torch.nn.functional.normalize(states[:, 0], dim=-1)


class Distiluse(torch.nn.Module):
    """distiluse-multilingual's: DistilBERT, the mean over the tokens, a dense layer."""

    vocabulary = 119_547
    padding = 0

    def __init__(self):
        super().__init__()
        config = DistilBertConfig(
            vocab_size=self.vocabulary,
            dim=768,
            n_layers=6,
            n_heads=12,
            hidden_dim=3072,
            pad_token_id=self.padding,
        )
        self.transformer = DistilBertModel(config)
        self.dense = torch.nn.Linear(768, 512)

    def forward(self, ids, mask):
        states = self.transformer(ids, attention_mask=mask).last_hidden_state
        mask = mask.unsqueeze(-1).to(states.dtype)
        pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(torch.tanh(self.dense(pooled)), dim=-1)


MODELS = {"BGE-M3": BgeM3, "distiluse": Distiluse}


def padded(texts, model):
    """Token ids as a batch of the longest text's length, and its mask."""
    width = max(map(len, texts))
    ids = torch.full((len(texts), width), model.padding)
    mask = torch.zeros((len(texts), width), dtype=torch.long)
    for row, text in enumerate(texts):
        # Another vocabulary's ids: any will do, but for that of the padding.
        own = torch.tensor(text).clamp(model.padding + 1, model.vocabulary - 1)
        ids[row, : len(text)] = own
        mask[row, : len(text)] = 1
    return ids, mask


def encode(model, texts, batch_size):
    """Encodes texts (lists of ids), batches of like length together."""
    model.eval()
    texts = sorted(texts, key=len, reverse=True)
    with torch.inference_mode():
        for start in range(0, len(texts), batch_size):
            model(*padded(texts[start : start + batch_size], model)).numpy()


def train_step(model, optimizer, thai, english):
    """One update with the contrastive loss of `muse_jobs.training.heads`.

    Both directions, the titles of the query's own language among the negatives.
    """
    model.train()
    vectors = model(*padded(thai + english, model))
    thai, english = vectors.split(len(thai))
    loss = (one_way(thai, english) + one_way(english, thai)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def one_way(queries, targets):
    """Cross-entropy of each query's own target."""
    logits = queries @ torch.cat([targets, queries]).T / TEMPERATURE
    row = torch.arange(len(queries))
    itself = torch.zeros_like(logits).index_put(
        (row, row + len(targets)), torch.tensor(float("-inf"))
    )
    return torch.nn.functional.cross_entropy(logits + itself, row)


def main():
    """Answers with the seconds that each request took."""
    name, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = MODELS[name]()
    optimizer = None
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters())}))
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        if "texts" in request:
            encode(model, request["texts"], request["batch_size"])
        else:
            optimizer = optimizer or torch.optim.Adam(model.parameters(), LEARNING_RATE)
            train_step(model, optimizer, request["th"], request["en"])
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
