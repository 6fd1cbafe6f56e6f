"""Models of PyTorch, each as the state_dict that safetensors.torch saves, with an input, its output and all gradients, for
tests/ops/nn/model/test_model_torch.c, which builds the same models.

    python3 tests/golden/make_models.py FOLDER        # needs PyTorch and safetensors

The loss is the sum of the output times a tensor of random numbers, so that every element has a gradient of its own.
"""
import sys

import torch
from safetensors.torch import save_file
from torch import nn

folder = sys.argv[1]
torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 5, batch_first=True)
        self.out = nn.Linear(5, 2)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


class Block(nn.Module):
    """A block of a GPT: attention and an MLP, each behind a normalisation and beside a path around it."""

    def __init__(self, size, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(size)
        self.attn = nn.MultiheadAttention(size, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x):
        h = self.ln_1(x)
        later = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        x = x + self.attn(h, h, h, attn_mask=later, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


def write(name, model, x, training):
    for p in model.parameters():  # away from the zeros and ones that they start with
        p.data = p.data + 0.1 * torch.randn_like(p)
    if training:  # running statistics that are not those of the start
        model.train()
        model(torch.randn_like(x))
    save_file({k: v.clone().contiguous() for k, v in model.state_dict().items()}, f'{folder}/{name}.safetensors')
    case = {}
    for mode in ['train', 'eval'] if training else ['eval']:
        model.train(mode == 'train')
        model.zero_grad()
        x = x.detach().requires_grad_(True)
        y = model(x)
        g = torch.randn_like(y)
        (y * g).sum().backward()
        case |= {f'{mode}.x': x.detach(), f'{mode}.y': y.detach(), f'{mode}.g': g, f'{mode}.dx': x.grad}
        case |= {f'{mode}.grad.{k}': p.grad for k, p in model.named_parameters()}
        case |= {f'{mode}.buffer.{k}': b.clone() for k, b in model.named_buffers()}
    save_file({k: v.clone().contiguous() for k, v in case.items()}, f'{folder}/{name}_case.safetensors')


write('mlp', nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), torch.randn(5, 4), False)
write('cnn', nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                           nn.Conv2d(4, 3, 3, stride=2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)),
      torch.randn(3, 2, 10, 10), True)
write('lstm', Recurrent(), torch.randn(2, 4, 3), False)
write('gpt', Block(8, 2), torch.randn(2, 5, 8), False)
