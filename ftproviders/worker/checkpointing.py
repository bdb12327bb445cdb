"""Checkpoints of a training that is going on: when they are written, what is in them, going on.

The Trainer knows how to save and load optimizer, schedule and random numbers, and how to skip the
rows that were seen; here is where that is put, so that it is there whole or not at all, and what
the Trainer does not know: a request to pause, and what a checkpoint belongs to. Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.belonging import belonging, check_belonging, differences
from ftproviders.worker.checkpoints import STATE, Checkpoints, Kept, lack_of_room
from ftproviders.worker.distributed import is_main, summed, world_size
from ftproviders.worker.failures import WorkError, WorkPaused
from ftproviders.worker.finite import check_loss
from ftproviders.worker.lifecycle import Request, Run
from ftproviders.worker.saving import Saver

__all__ = ["CheckpointWriter", "Keeper", "KeepsCheckpoints", "load_weights"]


class Keeper:
    """Writes a training's checkpoints, and knows the one to go on from.

    Args:
        run: The run.
        base: Folder of the base model.

    Attributes:
        kept: The checkpoint to go on from; None = the training begins at its beginning.
        saver: Saves the model; set before the training starts.
        latest: Returns the newest validation loss and its step; None = there is none.
    """

    def __init__(self, run: Run, base: Path) -> None:
        self.run = run
        self.base = base
        keep = run.job["settings"].get("checkpoints", 1)
        self.store = Checkpoints(run.shared.checkpoints, keep=keep)
        self.kept: Kept | None = None
        self.saver: Saver | None = None
        self.latest: Callable[[], tuple[int, float] | None] = lambda: None
        self._belongs: Mapping[str, Any] | None = None
        self._saved_step: int | None = None

    def find(self) -> None:
        """Look for a checkpoint to go on from; call it in every attempt.

        Raises:
            WorkError: There is one, but settings, rows or base model are others now.
        """
        damaged: list[str] = []
        self.kept = self.store.newest(damaged.append)
        for text in damaged:
            self.run.event(text, level="warning")
        if self.kept is not None:
            check_belonging(self.kept.manifest["belongs"], self.run.job, self.base)
            self.run.event(f"Resumed from step {self.kept.step} ({self.kept.folder.name}).")
        elif self.run.attempt > 1:
            why = "no checkpoint is whole" if damaged else "there is no checkpoint yet"
            self.run.event(f"Resumed from the beginning: {why}. The result is the same.")

    def compare(self) -> None:
        """Tell when the surroundings are others than those of the checkpoint."""
        changed = differences(self.kept.manifest["belongs"], self.run.job) if self.kept else []
        if changed:
            self.run.event(
                f"{'; '.join(changed)}. The training goes on, but its result may differ in the "
                "last bits from that of a training without a break.",
                level="warning",
            )

    # --- going on ----------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Say whether the checkpoint to go on from is that of the last step."""
        return self.kept is not None and bool(self.kept.manifest["finished"])

    def train(self, trainer: Any) -> None:
        """Train, from the checkpoint if there is one."""
        trainer.keeper = self
        if self.kept is None:
            trainer.train()
            return
        if hasattr(trainer, "trained_tokens"):
            # They are those of all processes together, and are added up again.
            trainer.trained_tokens = self.kept.manifest["trained_tokens"] if is_main() else 0
        trainer.train(resume_from_checkpoint=str(self.kept.state))

    def restore_metrics(self, trainer: Any) -> None:
        """Give back the losses that were not logged yet, so that the next metric is the same."""
        if self.kept is not None:
            pending = self.kept.manifest["pending"]
            trainer._tr_loss += pending["loss"]
            trainer._globalstep_last_logged = pending["since_step"]

    # --- writing -----------------------------------------------------------------------------

    def write(self, trainer: Any) -> None:
        """Write a checkpoint of the present step. Every process of a training calls it.

        Args:
            trainer: The trainer, between two steps.

        Raises:
            OSError: There is no room for it; the last whole one is still there.
            WorkError: Loss or weights are no numbers any more; the last whole one is still there.
        """
        step = trainer.state.global_step
        if self._saved_step == step:
            return
        main = trainer.args.should_save
        draft = self.store.folder / f".new-step-{step:08d}"
        try:
            if main:
                self.store.draft(step)
            trainer.accelerator.wait_for_everyone()
            self._fill(trainer, draft)
            facts = self._facts(trainer)  # an exchange: nobody is still writing after it
            if main:
                self.store.commit(draft, step=step, facts=facts)
        except BaseException as error:
            if main:
                self.store.discard(draft)
            if isinstance(error, Exception) and not isinstance(error, OSError | WorkError):
                # Libraries of other languages say only that a write failed.
                problem = lack_of_room(self.store.folder, size_bytes=_size_bytes(trainer.model))
                if problem is not None:
                    raise problem from error
            raise
        self._saved_step = step

    def _fill(self, trainer: Any, draft: Path) -> None:
        state = str(draft / STATE)
        if self.saver is not None:
            step = trainer.state.global_step
            self.saver.write(trainer.model, draft, step=step, metrics=self._metrics(trainer.state))
        trainer._save_optimizer_and_scheduler(state)
        trainer._save_scaler(state)
        trainer._save_rng_state(state)
        if trainer.args.should_save:
            trainer.state.save_to_json(str(draft / STATE / "trainer_state.json"))

    def _metrics(self, state: Any) -> dict[str, float]:
        metrics = {"epoch": round(float(state.epoch), 4)}
        latest = self.latest()
        if latest is not None and latest[0] == state.global_step:
            metrics["validation_loss"] = latest[1]
        return metrics

    def _facts(self, trainer: Any) -> dict[str, Any]:
        if self._belongs is None:
            self._belongs = belonging(self.run.job, self.base)
        tokens, loss = summed(getattr(trainer, "trained_tokens", 0), float(trainer._tr_loss))
        # Where losses are not looked at in every step, this is the first look at some of them.
        check_loss(loss, None, step=trainer.state.global_step, settings=self.run.job["settings"])
        return {
            "belongs": self._belongs,
            "finished": bool(trainer.control.should_training_stop),
            "trained_tokens": int(tokens),
            "pending": {
                "loss": loss / world_size(),
                "since_step": trainer._globalstep_last_logged,
            },
        }


class KeepsCheckpoints:
    """What a Trainer of ours does differently about checkpoints. Comes before the Trainer."""

    keeper: Keeper | None = None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        del model, trial  # the keeper looks at the trainer itself
        if self.keeper is not None:
            self.keeper.write(self)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        trainer: Any = self
        if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
            load: Any = super()
            load._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            load_weights(trainer.model, Path(resume_from_checkpoint).parent)

    def _init_training_state(self, *arguments: Any, **named: Any) -> tuple[int, int]:
        base: Any = super()
        epochs, batches = base._init_training_state(*arguments, **named)
        if self.keeper is not None and self.keeper.finished:
            # The Trainer would go on to the end of an epoch that was stopped within.
            return _AFTER_ALL_EPOCHS, 0
        return epochs, batches


_AFTER_ALL_EPOCHS = 1_000_000_000


class CheckpointWriter(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Decides when a checkpoint is written, and leaves after it when somebody asked to pause.

    Must come after the callback that validates: a checkpoint at the end of an epoch is written
    when everything of that epoch is done.

    Args:
        run: The run.
        keeper: Writes the checkpoints.
        trainer: The trainer.
    """

    def __init__(self, run: Run, keeper: Keeper, trainer: Any) -> None:
        self.run = run
        self.keeper = keeper
        self.trainer = trainer
        settings = run.job["settings"]
        self.strategy: str = settings.get("save_strategy", "epoch")
        self.every: int = settings.get("save_steps") or 0
        self._due = False

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.keeper.restore_metrics(self.trainer)

    @override
    def on_epoch_begin(
        self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any
    ) -> None:
        # A loader that skips rows does not always pass the epoch on to the order behind it.
        place: Any = train_dataloader
        while place is not None:
            if hasattr(getattr(place, "sampler", None), "set_epoch"):
                place.sampler.set_epoch(int(state.epoch or 0))
            inner = getattr(place, "batch_sampler", None)
            place = inner if inner is not place else None

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        by_steps = self.strategy == "steps" and self.every and state.global_step % self.every == 0
        self._due = self._due or bool(by_steps) or self._pausing()
        last_of_epoch = float(state.epoch).is_integer() or control.should_training_stop
        control.should_save = self._due and not last_of_epoch

    @override
    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.run.check()
        at_end = control.should_training_stop and self.strategy != "no"
        control.should_save = self._due or at_end or self.strategy == "epoch" or self._pausing()

    @override
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._due = False
        self.run.check()
        if self._pausing():
            raise WorkPaused

    def _pausing(self) -> bool:
        return self.run.requested() is Request.PAUSE


def load_weights(model: Any, folder: Path) -> None:
    """Put the weights of a checkpoint into a model, in the data types that the model has.

    PEFT's own loading would turn a bf16 adapter into fp32.

    Args:
        model: The model that was saved there, adapted in the same way.
        folder: The checkpoint.
    """
    if not hasattr(model, "peft_config"):
        kept = type(model).from_pretrained(folder, dtype=model.dtype, local_files_only=True)
        model.load_state_dict(kept.state_dict())
        return
    from peft import set_peft_model_state_dict

    tensors = load_file(folder / "adapter_model.safetensors")
    outcome = set_peft_model_state_dict(model, tensors)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    wrong = {*outcome.unexpected_keys, *trained.intersection(outcome.missing_keys)}
    if wrong:
        raise RuntimeError(f"{folder.name} does not fit the model: {', '.join(sorted(wrong)[:5])}")


def _size_bytes(model: Any) -> int:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return 3 * int(sum(weight.numel() * weight.element_size() for weight in trained))
