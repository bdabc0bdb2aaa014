#!/usr/bin/env bash
# Train on several machines. Start on each of them:
#   scripts/train_nodes.sh MASTER_HOST:PORT NODES CONFIG [more options of `paddleisa train`]
# MASTER_HOST is one of the machines, the same on all. Every GPU of each machine trains (GPUS=0,1 restricts them).
set -euo pipefail
if [ $# -lt 3 ]; then
  sed -n '2,4p' "$0" >&2
  exit 2
fi
master=$1 nodes=$2 config=$3
shift 3
exec python -m paddle.distributed.launch --master "$master" --nnodes "$nodes" ${GPUS:+--gpus "$GPUS"} \
  -m paddleisa train --config "$config" --resume_model auto "$@"
