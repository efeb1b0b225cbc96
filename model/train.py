"""Train a Baichuan: `torchrun -m model.train CONFIG` on GPU nodes, `corpus train CONFIG` elsewhere, or in a program:

    from model.train import build, train

    result = train(config)                                             # a whole training: model/training/loop.py
    trainer = build(shape, settings); trainer.step(batch, 3e-4)   # one step: model/training/trainer.py

Needs torch, numpy, safetensors and PyYAML.
"""

from model.training.batches import Batch
from model.training.settings import ModelSettings, OptimizerSettings, StepSettings, TrainConfig
from model.training.trainer import StepResult, Trainer, build

__all__ = ["Batch", "ModelSettings", "OptimizerSettings", "StepResult", "StepSettings", "TrainConfig", "Trainer", "build"]
