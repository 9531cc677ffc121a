"""A decoder tuned on the answer word: one pass for a history and all its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from recnb.encoders.decoder import pack_sequence
from recnb.encoders.decoder.network import Network, open_network
from recnb.encoders.decoder.prompts import answers_only
from recnb.errors import InputError
from recnb.models.language.prompt import Prompts
from recnb.models.language.questions import Question
from recnb.models.language.tuned.recipe import Recipe
from recnb.training import Trained, Training, train
from recnb.tuning.methods import budget_of, counts, tune


@dataclass(frozen=True)
class Lesson:
    """A history and its candidates as one sequence, whose tokens see their own prompt alone.

    Attributes
    ----------
    ids, positions : Tensor of shape (1, n_tokens), int64
    seen : Tensor of shape (1, n_tokens, n_tokens), bool
    rows, targets : Tensor of shape (n_targets,), int64
        Which token's state predicts which token of an answer.
    pairs : Tensor of shape (n_pairs, 2), int64
        (answer, target): answer 2k is candidate k's yes, 2k + 1 its no.
    liked : Tensor of shape (n_candidates,), float32
    """

    ids: torch.Tensor
    positions: torch.Tensor
    seen: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor
    pairs: torch.Tensor
    liked: torch.Tensor

    def parts(self) -> tuple[torch.Tensor, ...]:
        """The tensors, in this order: what a batch holds."""
        names = ("ids", "positions", "seen", "rows", "targets", "pairs", "liked")
        return tuple(getattr(self, name) for name in names)


def lessons(prompts: Prompts, questions: Sequence[Question]) -> list[Lesson]:
    """Questions as a step of training reads them."""
    told, items = [q.told for q in questions], [q.items for q in questions]
    asked = answers_only(
        prompts.decoder.tokens,
        *prompts.about_items(told, items),
        prompts.template.answers,
        prompts.decoder.context,
    )
    out = []
    for prompt, question in zip(asked, questions):
        one = pack_sequence(prompt.prefix, prompt.continuations, prompt.scored)
        out.append(
            Lesson(
                torch.from_numpy(one.input_ids)[None],
                torch.from_numpy(one.position_ids)[None],
                torch.from_numpy(one.mask)[None],
                torch.from_numpy(one.rows),
                torch.from_numpy(one.targets),
                torch.from_numpy(one.pairs),
                torch.from_numpy(question.liked.astype(np.float32)),
            )
        )
    return out


class AnswerNetwork(nn.Module):
    """A decoder whose loss is that of the answer words alone.

    Parameters
    ----------
    network : Network
        Of its own: it is changed.
    recipe : Recipe
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        super().__init__()
        recipe.check()
        self.model = network.model
        self._network = [network]  # no module
        if recipe.quantise:  # what peft asks to choose its layers
            network.base.is_loaded_in_8bit = True
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            changed = tune(
                network.base,
                recipe.method,
                recipe.size,
                recipe.alpha,
                recipe.targets,
                recipe.n_layers,
            )
        self.budget = budget_of(changed)

    @property
    def network(self) -> Network:
        """What reads and scores, with the tuned layers in it."""
        return self._network[0]

    def encoder_network(self) -> nn.Module:
        """The decoder, for :func:`recnb.training.fewer_activations`."""
        return self.model

    def log_odds(self, lesson: Sequence[torch.Tensor]) -> torch.Tensor:
        """log p(yes) - log p(no) of each candidate of a lesson: (n_candidates,), float32."""
        ids, positions, seen, rows, targets, pairs, liked = lesson
        states, _ = self.network.read(ids, positions, seen)
        found = self.network.log_probabilities(states[0], rows, targets)
        answers = torch.zeros(2 * len(liked), device=found.device)
        answers = answers.index_add(0, pairs[:, 0], found[pairs[:, 1]])
        return answers[0::2] - answers[1::2]

    def forward(self, batch: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        """Mean cross-entropy of the answers of some lessons."""
        n = sum(len(lesson[-1]) for lesson in batch)
        losses = [
            F.binary_cross_entropy_with_logits(self.log_odds(one), one[-1], reduction="sum")
            for one in batch
        ]
        loss = torch.stack(losses).sum() / n
        return loss if self.budget is None else loss + self.budget.penalty()

    def after_step(self) -> None:
        """What follows a step of the optimiser."""
        if self.budget is not None:
            self.budget.step()

    def tuned(self) -> dict[str, np.ndarray]:
        """The trained weights, by name."""
        return {
            name: p.detach().cpu().float().numpy()
            for name, p in self.model.named_parameters()
            if p.requires_grad
        }

    @torch.no_grad()
    def put(self, tuned: dict[str, np.ndarray]) -> None:
        """Set what :meth:`tuned` returned.

        Raises
        ------
        InputError
            The base is another one: it lacks a weight that was tuned, or has it in another shape.
        """
        here = dict(self.model.named_parameters())
        for name, value in tuned.items():
            if name not in here or here[name].shape != value.shape:
                shape = list(here[name].shape) if name in here else "no such weight"
                raise InputError(
                    f"the decoder is not the one that was tuned: {name} is {list(value.shape)}, here {shape}",
                    mend="name that decoder, or tune this one",
                )
            here[name].copy_(torch.from_numpy(value).to(here[name]))

    def counts(self) -> tuple[int, int]:
        """Numbers that are trained, and all."""
        return counts(self.model)


class Steps:
    """The batches of an epoch: lessons in a random order, about so many candidates each.

    Parameters
    ----------
    lessons : sequence of Lesson
    pairs : int
    seed, epoch : int
    """

    def __init__(self, lessons: Sequence[Lesson], pairs: int, seed: int, epoch: int) -> None:
        self._lessons = lessons
        order = np.random.default_rng([seed, epoch]).permutation(len(lessons))
        place = np.cumsum([0, *(len(lessons[k].liked) for k in order)])[:-1] // pairs
        self._parts = np.split(order, np.flatnonzero(np.diff(place)) + 1) if len(order) else []

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> list[tuple[torch.Tensor, ...]]:
        if not 0 <= index < len(self._parts):
            raise IndexError(index)
        return [self._lessons[k].parts() for k in self._parts[index]]


def opened(
    decoder: Any, recipe: Recipe, tuned: dict[str, np.ndarray] | None = None
) -> AnswerNetwork:
    """A decoder of one's own with a method on it, and the trained weights where there are any."""
    network = open_network(decoder.source, recipe.quantise or decoder.precision, decoder.place)
    out = AnswerNetwork(network, recipe)
    if tuned is not None:
        out.put(tuned)
    return out.eval()


def with_network(decoder: Any, network: Network) -> Any:
    """The same decoder, which reads with another network."""
    from dataclasses import replace

    out = replace(decoder)
    out.__dict__["network"] = network
    return out


def fit_answers(
    prompts: Prompts,
    questions: Sequence[Question],
    valid: Sequence[Question],
    recipe: Recipe,
    data: str = "",
) -> tuple[AnswerNetwork, Trained]:
    """Tune a decoder on questions whose answers are known.

    Parameters
    ----------
    prompts : Prompts
        Their decoder names the base; it is not changed.
    questions, valid : sequence of Question
        Without `valid` all epochs are run and the last is kept.
    recipe : Recipe
    data : str
        What the questions are known by.

    Raises
    ------
    InputError
        No question, or a setting that does not fit.
    """
    recipe.check()
    if not questions:
        raise InputError(
            "there is no row to tune the decoder on", mend="give users with at least two rows"
        )
    network = opened(prompts.decoder, recipe)
    own, asked = lessons(prompts, questions), lessons(prompts, valid)
    if network.budget is not None:
        steps = [
            len(Steps(own, recipe.pairs_per_step, recipe.seed, e)) for e in range(recipe.n_epochs)
        ]
        network.budget.lay_out(sum(steps))
    how = Training(
        epochs=recipe.n_epochs,
        lr=recipe.rate,
        warmup=0.0,
        schedule="constant",
        patience=recipe.patience,
        seed=recipe.seed,
        precision="float32",
        checkpoint=recipe.checkpoint,
        device=prompts.decoder.place,
    )

    def closeness(module: AnswerNetwork) -> float:
        parts = Steps(asked, recipe.pairs_per_step, 0, 0)
        device = next(module.model.parameters()).device
        losses, n = 0.0, 0
        for k in range(len(parts)):
            batch = [tuple(t.to(device) for t in one) for one in parts[k]]
            size = sum(len(one[-1]) for one in batch)
            losses, n = losses + float(module(batch)) * size, n + size
        return -losses / n

    trained = train(
        network,
        lambda epoch: Steps(own, recipe.pairs_per_step, recipe.seed, epoch),
        how,
        closeness if asked else None,
        data=data,
    )
    return network, trained
