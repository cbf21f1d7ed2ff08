#!/usr/bin/env bash
# Type-checks the CUDA build, candle's kernels included, on a machine without a GPU: about 9 minutes on 2 cores.
# usage: scripts/check-cuda.sh [FOLDER]     FOLDER (default target/cuda-check) keeps the compiler's packages and the build.
# Not part of test.sh: it fetches some 500 MB of NVIDIA's compiler with pip. Needs python3 with venv, and a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mkdir -p "${1:-target/cuda-check}" && cd "${1:-target/cuda-check}" && pwd)

if [ ! -x "$folder/venv/bin/pip" ]; then
    python3 -m venv "$folder/venv"
fi
"$folder/venv/bin/pip" install --quiet "nvidia-cuda-nvcc==13.*" "nvidia-cuda-runtime==13.*" "nvidia-cuda-cccl==13.*" \
    "nvidia-cuda-crt==13.*" "nvidia-nvvm==13.*"
root=$(echo "$folder"/venv/lib/python3*/site-packages/nvidia/cu13)
[ -x "$root/bin/nvcc" ] || { echo "no nvcc in $root: the packages have changed their layout"; exit 1; }

export CUDA_HOME=$root CUDA_PATH=$root CUDA_ROOT=$root CUDA_TOOLKIT_ROOT_DIR=$root PATH=$root/bin:$PATH
# The oldest GPU generation that is checked for (Ampere), and the newest toolkit that cudarc 0.19 knows by name.
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80} CUDARC_CUDA_VERSION=${CUDARC_CUDA_VERSION:-13010}
cargo check --release --no-default-features --features cuda --lib --target-dir "$folder/target"
echo "the CUDA build type-checks"
