"""Takes the steps of examples/char_gpt.c with PyTorch, from the weights and batches that the example saves, prints the loss of
each, and compares them with those that the example has logged. Fails when one is further off than 1e-4 of itself.

    build/release/examples/char_gpt --text LICENSE --steps 50 --every 1 --lr 0.001 --dropout 0 --folder gpt --save-start gpt.start
    python3 tests/golden/char_gpt.py gpt.start gpt/log.csv > tests/golden/char_gpt.losses
"""
import csv
import sys

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

SIZE, HEADS, BLOCKS = 96, 4, 3


class GPT(nn.Module):
    def __init__(self, vocabulary, context):
        super().__init__()
        self.token = nn.Embedding(vocabulary, SIZE)
        self.place = nn.Embedding(context, SIZE)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(SIZE, HEADS, 4 * SIZE, 0.0, F.gelu, batch_first=True, norm_first=True) for _ in range(BLOCKS)
        )
        self.norm = nn.LayerNorm(SIZE)
        self.out = nn.Linear(SIZE, vocabulary, bias=False)

    def forward(self, x):
        t = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(t)
        h = self.token(x) + self.place(torch.arange(t))
        for block in self.blocks:
            h = block(h, src_mask=mask, is_causal=True)
        return self.out(self.norm(h))


def main(start, log):
    state = load_file(start)
    batches = state.pop("batches")
    model = GPT(state["token.weight"].shape[0], state["place.weight"].shape[0])
    model.load_state_dict(state)
    rows = list(csv.DictReader(open(log, newline="")))[: len(batches)]
    optim = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    worst = 0.0
    for row, batch in zip(rows, batches):
        optim.param_groups[0]["lr"] = float(row["lr"])
        loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optim.zero_grad()
        loss.backward()
        optim.step()
        worst = max(worst, abs(float(row["loss"]) / loss.item() - 1))
        print(f"{loss.item():.9g}")
    print(f"{len(rows)} losses, the worst relative difference is {worst:.2g}", file=sys.stderr)
    return len(rows) < len(batches) or not worst <= 1e-4


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
