"""Times the generator in ct2rgb, onnxruntime and PyTorch in turn, and prints docs/performance.md's table.

    python3 -m venv venv && venv/bin/pip install onnxruntime onnx numpy torch     # torch only for training steps (3 GB)
    cargo build --release --no-default-features
    venv/bin/python benches/peers.py --ct2rgb target/release/ct2rgb [--rounds 7] [--threads 2]

The network is the pix2pix U-Net (8 levels, batch norm, 3 input channels) with random weights. Rounds alternate between the
programs, so that what else the machine does meets all of them alike; quote the ratio of medians and of least times.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np


def widths(base):
    return [base, 2 * base, 4 * base] + [8 * base] * 5


def onnx_model(base, size):
    from onnx import TensorProto, helper, numpy_helper

    rng, nodes, constants, channels = np.random.default_rng(0), [], [], widths(base)

    def constant(name, array):
        constants.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def node(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def conv(kind, x, c_in, c_out, name):
        shape = (c_out, c_in, 4, 4) if kind == "Conv" else (c_in, c_out, 4, 4)
        parameters = [constant(f"{name}w", rng.normal(0, 0.02, shape)), constant(f"{name}b", np.zeros(c_out))]
        return node(kind, [x, *parameters], name, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])

    def norm(x, c, name):
        values = (np.ones(c), np.zeros(c), np.zeros(c), np.ones(c))
        return node("BatchNormalization", [x, *(constant(f"{name}{k}", v) for k, v in enumerate(values))], name)

    x, c, skips = "x", 3, []
    for i, out in enumerate(channels):
        x = conv("Conv", node("LeakyRelu", [x], f"dl{i}", alpha=0.2) if i else x, c, out, f"d{i}")
        x = norm(x, out, f"dn{i}") if 0 < i < 7 else x
        skips.append(x)
        c = out
    for i in reversed(range(8)):
        x = node("Concat", [x, skips[i]], f"cat{i}", axis=1) if i < 7 else x
        out = 3 if i == 0 else channels[i - 1]
        x = conv("ConvTranspose", node("Relu", [x], f"ur{i}"), channels[7] if i == 7 else 2 * channels[i], out, f"u{i}")
        x = norm(x, out, f"un{i}") if i else x
    node("Tanh", [x], "y")
    shape = [1, 3, size, size]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "unet", *ends, constants),
                              opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def onnx_run(base, size, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx_model(base, size), options)
    x = np.random.default_rng(1).normal(size=(1, 3, size, size)).astype(np.float32)
    return lambda: session.run(None, {"x": x})


def torch_network(base):
    import torch
    from torch import nn

    class Unet(nn.Module):
        def __init__(self):
            super().__init__()
            channels, self.down, self.up, c = widths(base), nn.ModuleList(), nn.ModuleList(), 3
            for i, out in enumerate(channels):
                layers = ([nn.LeakyReLU(0.2)] if i else []) + [nn.Conv2d(c, out, 4, 2, 1)]
                self.down.append(nn.Sequential(*layers, *([nn.BatchNorm2d(out)] if 0 < i < 7 else [])))
                c = out
            for i in reversed(range(8)):
                out, c = (3 if i == 0 else channels[i - 1]), (channels[7] if i == 7 else 2 * channels[i])
                layers = [nn.ReLU(), nn.ConvTranspose2d(c, out, 4, 2, 1)] + ([nn.BatchNorm2d(out)] if i else [])
                self.up.append(nn.Sequential(*layers))

        def forward(self, x):
            skips = []
            for down in self.down:
                x = down(x)
                skips.append(x)
            for k, up in enumerate(self.up):
                x = up(torch.cat([x, skips[7 - k]], 1) if k else x)
            return torch.tanh(x)

    return Unet().to(memory_format=torch.channels_last)


def torch_forward(base, size, threads):
    import torch

    torch.set_num_threads(threads)
    network = torch_network(base).eval()
    x = torch.randn(1, 3, size, size).to(memory_format=torch.channels_last)

    def run():
        with torch.inference_mode():
            network(x)

    return run


def torch_step(base, size, threads):
    import torch

    torch.set_num_threads(threads)
    network = torch_network(base)
    adam = torch.optim.Adam(network.parameters(), 1e-4, betas=(0.5, 0.999))
    x = torch.randn(2, 3, size, size).to(memory_format=torch.channels_last)
    y = torch.randn(2, 3, size, size)

    def run():
        adam.zero_grad()
        (network(x) - y).abs().mean().backward()
        adam.step()

    return run


def seconds_of(run, runs=3):
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def own_seconds(program, what, base, size, batch, threads):
    command = [program, "bench", what, "--json", "--base-channels", str(base), "--sizes", str(size),
               "--batches", str(batch), "--threads", str(threads), "--runs", "3"]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0])
    return [row["least_secs"], row["secs"]], row["peak_share"]


def compare(options, what, base, size, batch, peers):
    times, shares = {"ct2rgb": []} | {name: [] for name in peers}, []
    for _ in range(options.rounds):
        own, share = own_seconds(options.ct2rgb, what, base, size, batch, options.threads)
        times["ct2rgb"] += own
        shares.append(share)
        for name, run in peers.items():
            times[name] += seconds_of(run)
    cells = [f"{statistics.median(t) * 1e3:.1f} ({min(t) * 1e3:.1f})" for t in times.values()]
    best = min((t for name, t in times.items() if name != "ct2rgb"), key=statistics.median)
    ratio = statistics.median(times["ct2rgb"]) / statistics.median(best)
    least = min(times["ct2rgb"]) / min(best)
    share = statistics.median(shares)
    print(f"| {what} | {base} | {size}² | {batch} | {' | '.join(cells)} | {ratio:.2f} ({least:.2f}) | {share:.0%} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ct2rgb", default="target/release/ct2rgb")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--base-channels", default="32,64")
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--no-torch", action="store_true", help="forward passes against onnxruntime alone")
    options = parser.parse_args()
    bases = [int(text) for text in options.base_channels.split(",")]
    print("milliseconds: median (least)\n")
    torch = [] if options.no_torch else ["PyTorch"]
    names = ["what", "base", "size", "batch", "ct2rgb", "onnxruntime", *torch, "ratio to the best", "of the matrix peak"]
    print(f"| {' | '.join(names)} |\n|" + " --- |" * len(names))
    for base in bases:
        for size in (int(text) for text in options.sizes.split(",")):
            peers = {"onnxruntime": onnx_run(base, size, options.threads)}
            if torch:
                peers["PyTorch"] = torch_forward(base, size, options.threads)
            compare(options, "generator", base, size, 1, peers)
    if torch:
        print("\n| what | base | size | batch | ct2rgb | PyTorch | ratio | of the matrix peak |")
        print("|" + " --- |" * 8)
        for base in bases:
            compare(options, "train-step", base, 256, 2, {"PyTorch": torch_step(base, 256, options.threads)})


main()
