"""Models of PyTorch, each as the state_dict that safetensors.torch saves, with an input, its output and all gradients, for
tests/ops/nn/model/test_model_torch.c, which builds the same models.

    python3 tests/golden/make_models.py FOLDER        # needs PyTorch and safetensors

The loss is the sum of the output times a tensor of random numbers, so that every element has a gradient of its own.
"""
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

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


class Sequences(nn.Module):
    """Two layers in both directions over sequences of different lengths: all states, and the last ones, by sample."""

    def __init__(self, kind, **more):
        super().__init__()
        self.rnn = kind(3, 5, num_layers=2, bidirectional=True, batch_first=True, **more)

    def forward(self, x):
        y, last = self.rnn(pack_padded_sequence(x, torch.tensor([4, 1, 3]), batch_first=True, enforce_sorted=False))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        last = last if isinstance(last, tuple) else (last,)
        return torch.cat([y.flatten(1)] + [h.transpose(0, 1).flatten(1) for h in last], 1)


class Encoder(nn.Module):
    """nn.TransformerEncoderLayer, with padding: of the first sample a key, of the second two."""

    def __init__(self, **more):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=12, dropout=0, batch_first=True, **more)

    def forward(self, x):
        padding = torch.arange(x.shape[1]) >= torch.tensor([[4], [3]])
        return self.layer(x, src_key_padding_mask=padding)


class Decoder(nn.Module):
    """nn.TransformerDecoderLayer, causal, whose memory is another view of its input."""

    def __init__(self, **more):
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(8, 2, dim_feedforward=12, dropout=0, batch_first=True, **more)

    def forward(self, x):
        memory = torch.cat([x.flip(1), x[:, :2]], 1) * 0.5
        later = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        return self.layer(x, memory, tgt_mask=later)


class Cross(nn.Module):
    """Attention to keys and values of other sizes and another length."""

    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True)

    def forward(self, x):
        y = x.flip(1)[:, 1:]
        return self.attn(x, y[:, :, :6], y[:, :, 2:6], need_weights=False)[0]


class Grouped(nn.Module):
    """Attention of 4 heads to 2 of keys and values, causal, by PyTorch's op."""

    def __init__(self):
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.randn(16, 8) / 4)
        self.in_proj_bias = nn.Parameter(torch.randn(16) / 4)
        self.out_proj = nn.Linear(8, 8)

    def forward(self, x):
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).split([8, 4, 4], 2)
        q, k, v = [p.unflatten(2, (-1, 2)).transpose(1, 2) for p in parts]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class LlamaAttention(nn.Module):
    """The same with three weights and rotary positions, in the words of transformers' modeling_llama.py."""

    def __init__(self):
        super().__init__()
        for name, rows in ('q', 16), ('k', 8), ('v', 8):
            self.register_parameter(f'{name}_proj_weight', nn.Parameter(torch.randn(rows, 16) / 4))
        self.out_proj = nn.Linear(16, 16, bias=False)

    def forward(self, x):
        q, k, v = [F.linear(x, w).unflatten(2, (-1, 4)).transpose(1, 2)
                   for w in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)]
        frequency = 1 / 500 ** (torch.arange(0, 4, 2).double() / 4)
        angle = torch.outer(torch.arange(x.shape[1]).double(), frequency)
        cos, sin = torch.cat([angle, angle], 1).cos(), torch.cat([angle, angle], 1).sin()

        def turned(p):  # apply_rotary_pos_emb and rotate_half
            return p * cos + torch.cat([-p[..., 2:], p[..., :2]], -1) * sin

        y = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Llama(nn.Module):
    """A block of LLaMA: root mean square norms, grouped queries, rotary positions, SwiGLU, no bias."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(16, eps=1e-5), nn.RMSNorm(16, eps=1e-5)
        self.self_attn = LlamaAttention()
        self.linear1, self.linear3 = nn.Linear(16, 10, bias=False), nn.Linear(16, 10, bias=False)
        self.linear2 = nn.Linear(10, 16, bias=False)

    def forward(self, x):
        x = x + self.self_attn(self.norm1(x))
        h = self.norm2(x)
        return x + self.linear2(F.silu(self.linear1(h)) * self.linear3(h))


def write(name, model, x, training):
    for p in model.parameters():  # away from the zeros and ones that they start with
        p.data = p.data + 0.1 * torch.randn_like(p)
    if training:  # running statistics that are not those of the start
        model.train()
        model(torch.randn_like(x))
    start = {k: v.clone().contiguous() for k, v in model.state_dict().items()}
    save_file(start, f'{folder}/{name}.safetensors')
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
    return name, model, start, case['eval.x']


def train(name, model, start, x, optim):
    """20 steps towards random numbers, in mean square. (Adam is for models in which no gradient is 0 but for rounding, as
    that of a bias in front of a norm, and of keys, is: it would make a step of it.)"""
    model.load_state_dict(start)
    model.train()
    optim = optim(model.parameters())
    with torch.no_grad():
        target = torch.randn_like(model(x))
    model.load_state_dict(start)
    losses = []
    for _ in range(20):
        optim.zero_grad()
        loss = F.mse_loss(model(x), target)
        loss.backward()
        optim.step()
        losses.append(loss.detach())
    case = {'x': x, 'target': target, 'losses': torch.stack(losses)}
    case |= {f'final.{k}': v for k, v in model.state_dict().items()}
    save_file({k: v.clone().contiguous() for k, v in case.items()}, f'{folder}/{name}_training.safetensors')


mlp = write('mlp', nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), torch.randn(5, 4), False)
cnn = write('cnn', nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                           nn.Conv2d(4, 3, 3, stride=2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)),
      torch.randn(3, 2, 10, 10), True)
lstm = write('lstm', Recurrent(), torch.randn(2, 4, 3), False)
gpt = write('gpt', Block(8, 2), torch.randn(2, 5, 8), False)

x = torch.randn(3, 4, 3)
write('lstm_lengths', Sequences(nn.LSTM), x, False)
write('gru_lengths', Sequences(nn.GRU), x, False)
write('rnn_lengths', Sequences(nn.RNN, nonlinearity='relu'), x, False)
x = torch.randn(2, 5, 8)
write('encoder', Encoder(), x, False)
write('encoder_norm_first', Encoder(norm_first=True, activation='gelu'), x, False)
write('decoder', Decoder(norm_first=True), x, False)
write('cross', Cross(), x, False)
write('grouped', Grouped(), x, False)
write('llama', Llama(), torch.randn(2, 5, 16), False)

train(*mlp, lambda p: torch.optim.Adam(p, 0.05))
train(*cnn, lambda p: torch.optim.SGD(p, 0.05, momentum=0.9))
train(*lstm, lambda p: torch.optim.Adam(p, 0.05))
train(*gpt, lambda p: torch.optim.SGD(p, 0.05, momentum=0.9))
