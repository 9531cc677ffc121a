"""Noise on words, vectors and labels, and averaged weights: what each does, and that it survives a kill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from recnb.encoders import TextEncoder, Vocabulary
from recnb.encoders.text.vocabulary import NearWords
from recnb.errors import InputError
from recnb.training import Regularisation, Regularised, train
from recnb.training.regularisation import divergence, smoothed_loss

N_WORDS, DIM, SPECIAL, MASK = 40, 8, (0, 1), 2


class Reader(nn.Module):
    """A language model of one embedding and one layer, and a head that says yes or no."""

    def __init__(self, seed: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.words = nn.Embedding(N_WORDS, DIM)
        self.layer = nn.Linear(DIM, DIM)
        self.head = nn.Linear(DIM, 1)
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator) * 0.5
        self.words.weight.requires_grad_(False)
        self.dropout, self.read = dropout, []

    def encoder_network(self) -> Reader:
        return self

    def get_input_embeddings(self) -> nn.Embedding:
        return self.words

    def logits(self, batch):
        vectors = self.words(batch["ids"])
        self.read.append(vectors.detach())
        hidden = nn.functional.dropout(vectors, self.dropout, self.training)
        return self.head(torch.tanh(self.layer(hidden)).mean(1))[:, 0]

    def targets(self, batch):
        return batch["labels"]

    def forward(self, batch):
        return smoothed_loss(self.logits(batch), self.targets(batch))


def batches_of(epoch: int, n: int = 4, size: int = 6):
    rng = np.random.default_rng(epoch)
    ids = [torch.as_tensor(rng.integers(3, N_WORDS, (size, 5))) for _ in range(n)]
    return [{"ids": i, "labels": (i.sum(1) % 2).float()} for i in ids]


@pytest.fixture
def vocabulary() -> Vocabulary:
    special = torch.zeros(N_WORDS, dtype=torch.bool)
    special[list(SPECIAL)] = True
    near = torch.stack([torch.arange(N_WORDS), (torch.arange(N_WORDS) + 1) % N_WORDS], dim=1)
    return Vocabulary(special, MASK, near)


def test_nothing_asked_changes_nothing(quick):
    plain, shell = Reader(), Regularised(Reader(), Regularisation())
    train(plain, batches_of, quick)
    train(shell, batches_of, quick)
    for a, b in zip(plain.parameters(), shell.module.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_words_are_hidden_and_replaced_at_their_rates(vocabulary):
    torch.manual_seed(0)
    ids = torch.randint(0, N_WORDS, (200, 50))
    fixed = vocabulary.special[ids]
    hidden = vocabulary.noisy(ids, 0.3, 0.0)
    assert torch.equal(hidden[fixed], ids[fixed])
    share = (hidden != ids)[~fixed & (ids != MASK)].float().mean()
    assert abs(share - 0.3) < 0.02 and set(hidden[hidden != ids].tolist()) == {MASK}
    swapped = vocabulary.noisy(ids, 0.0, 0.4)
    moved = swapped != ids
    assert torch.equal(swapped[moved], (ids[moved] + 1) % N_WORDS)
    # half of the draws meet the word itself
    assert abs(moved[~fixed].float().mean() - 0.2) < 0.02


def test_a_cut_vocabulary_changes_words_as_the_whole_one_does(vocabulary):
    ids = np.array([1, 5, 9, 20])
    kept = vocabulary.reach(ids)
    assert kept.tolist() == [1, 2, 5, 6, 9, 10, 20, 21], "the words, their near ones, the mask"
    small = vocabulary.cut(kept)
    told = torch.as_tensor(np.random.default_rng(0).choice(ids, (50, 6)))
    place = torch.searchsorted(torch.as_tensor(kept), told)
    for rates in ((0.3, 0.0), (0.0, 0.5), (0.4, 0.4)):
        torch.manual_seed(1)
        whole = vocabulary.noisy(told, *rates)
        torch.manual_seed(1)
        assert torch.equal(torch.as_tensor(kept)[small.noisy(place, *rates)], whole)
        assert not torch.equal(whole, told)
    alone = vocabulary.cut(np.array([2, 5, 9]))
    assert alone.near[1].tolist() == [1, 1], "what is near and not kept counts as none"


def test_evaluation_reads_the_words_as_they_are(vocabulary):
    shell = Regularised(Reader(), Regularisation(word_dropout=0.9, adversarial="fgm"), vocabulary)
    batch = batches_of(0)[0]
    shell.eval()
    shell(batch)
    torch.testing.assert_close(shell.module.read[-1], shell.module.words(batch["ids"]).detach())


@pytest.mark.parametrize("how", ["fgm", "pgd"])
def test_the_adversary_raises_the_loss_within_its_ball(how):
    settings = Regularisation(adversarial=how, epsilon=0.2)
    shell, batch = Regularised(Reader(), settings), batches_of(0)[0]
    both = shell(batch).item()
    clean = shell.module(batch).item()
    worst = 2 * both - clean
    near = shell.module.read[-2] - shell.module.read[0]  # the last pass of the adversary
    size = near.flatten(1).norm(dim=1) / shell.module.read[0].flatten(1).norm(dim=1)
    assert (size <= 0.2 + 1e-5).all() and size.mean() > 0.1
    rng = torch.Generator().manual_seed(0)
    at_random = []
    for _ in range(20):
        noise = torch.randn(near.shape, generator=rng)
        length = 0.2 * shell.module.read[0].flatten(1).norm(dim=1) / noise.flatten(1).norm(dim=1)
        vectors = shell.module.read[0] + noise * length[:, None, None]
        logits = shell.module.head(torch.tanh(shell.module.layer(vectors)).mean(1))[:, 0]
        at_random.append(smoothed_loss(logits, batch["labels"]).item())
    assert worst > clean and worst > max(at_random)


def test_vectors_without_words_have_a_ball_each():
    torch.manual_seed(0)
    vectors, weights = torch.randn(5, 3), torch.randn(3)
    labels = torch.tensor([1.0, 0, 1, 0, 0])

    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.given = nn.Embedding.from_pretrained(vectors)

        def entry(self):
            return self.given

        def forward(self, rows):
            return smoothed_loss(self.given(rows) @ weights, labels)

    found = Regularised(Line(), Regularisation(adversarial="fgm", epsilon=0.2))(torch.arange(5))
    signs = torch.where(labels == 1, -1.0, 1.0)[:, None]  # the loss grows against the label
    far = vectors + 0.2 * vectors.norm(dim=1, keepdim=True) * signs * weights / weights.norm()
    wanted = (smoothed_loss(vectors @ weights, labels) + smoothed_loss(far @ weights, labels)) / 2
    torch.testing.assert_close(found, wanted)


def test_more_steps_find_a_worse_place():
    batch = batches_of(3)[0]
    one = Regularised(Reader(4), Regularisation(adversarial="fgm", epsilon=0.8))(batch)
    many = Regularisation(adversarial="pgd", epsilon=0.8, pgd_steps=12)
    assert Regularised(Reader(4), many)(batch) > one


def test_the_adversary_leaves_gradients_of_the_mean_of_both_losses():
    """Against a step by hand: the shift is a constant for the weights."""
    module, batch = Reader(), batches_of(0)[0]
    Regularised(module, Regularisation(adversarial="fgm", epsilon=0.1))(batch).backward()
    ours = module.head.weight.grad.clone()
    by_hand = Reader()
    vectors = by_hand.words(batch["ids"])
    shift = torch.zeros_like(vectors, requires_grad=True)

    def loss_at(moved):
        logits = by_hand.head(torch.tanh(by_hand.layer(vectors + moved)).mean(1))[:, 0]
        return smoothed_loss(logits, batch["labels"])

    (g,) = torch.autograd.grad(loss_at(shift), shift)
    far = 0.1 * vectors.flatten(1).norm(dim=1) / g.flatten(1).norm(dim=1)
    ((loss_at(torch.zeros_like(g)) + loss_at(g * far[:, None, None])) / 2).backward()
    torch.testing.assert_close(ours, by_hand.head.weight.grad)


def test_two_passes_with_other_dropout_are_drawn_together(quick):
    def apart(weight: float) -> float:
        module = Reader(dropout=0.4)
        settings = Regularisation(r_drop=weight)
        train(Regularised(module, settings), batches_of, replace(quick, epochs=12, lr=0.02))
        module.train()
        torch.manual_seed(1)
        batch = batches_of(99, 1, 200)[0]
        return divergence(module.logits(batch), module.logits(batch)).item()

    assert apart(5.0) < 0.7 * apart(1e-9)


def test_divergence_is_that_of_the_two_distributions():
    a, b = torch.tensor([0.3, -1.0]), torch.tensor([1.1, 0.2])
    p, q = torch.sigmoid(a), torch.sigmoid(b)

    def kl(x, y):
        return x * (x / y).log() + (1 - x) * ((1 - x) / (1 - y)).log()

    torch.testing.assert_close(divergence(a, b), ((kl(p, q) + kl(q, p)) / 2).mean())


def test_smoothing_is_torchs_for_classes_and_the_same_for_two():
    logits, labels = torch.tensor([[0.2, -0.4], [1.0, 3.0]]), torch.tensor([1, 0])
    two = smoothed_loss(logits[:, 1] - logits[:, 0], labels.float(), 0.1)
    torch.testing.assert_close(two, smoothed_loss(logits, labels, 0.1))


@pytest.mark.parametrize("average", ["ema", "swa"])
def test_averages_are_what_is_left(quick, average):
    settings = Regularisation(average=average, average_decay=0.6, swa_start=2)
    shell, seen = Regularised(Reader(), settings), []
    step = shell.after_step
    shell.after_step = lambda: (seen.append(shell.module.head.weight.detach().clone()), step())
    valued = []

    def validate(module):
        valued.append(module.module.head.weight.detach().clone())
        return float(len(valued))

    train(shell, batches_of, quick, validate)
    if average == "swa":
        wanted = torch.stack(seen[2:]).mean(0)
    else:
        wanted = seen[0]
        for n, weights in enumerate(seen[1:], 1):
            decay = min(0.6, (1 + n) / (10 + n))
            wanted = decay * wanted + (1 - decay) * weights
    torch.testing.assert_close(shell.module.head.weight, wanted)
    torch.testing.assert_close(valued[-1], wanted)
    assert not torch.allclose(wanted, seen[-1])


def test_a_killed_training_goes_on_with_equal_bits(quick, vocabulary, tmp_path):
    settings = Regularisation(
        word_dropout=0.2, synonyms=0.2, adversarial="pgd", r_drop=1.0, label_smoothing=0.1,
        average="ema",
    )  # fmt: skip
    whole = Regularised(Reader(dropout=0.3), settings, vocabulary)
    train(whole, batches_of, replace(quick, epochs=3), lambda m: 0.0)
    how = replace(quick, epochs=3, checkpoint=tmp_path / "run", checkpoint_every=1)

    class Killed(Exception):
        pass

    def stop(epoch, step, n_steps, loss):
        if (epoch, step) == (2, 3):
            raise Killed

    with pytest.raises(Killed):
        train(
            Regularised(Reader(dropout=0.3), settings, vocabulary),
            batches_of,
            how,
            lambda m: 0.0,
            stop,
        )
    again = Regularised(Reader(dropout=0.3), settings, vocabulary)
    train(again, batches_of, how, lambda m: 0.0)
    for a, b in zip(whole.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_near_words_looked_for_one_by_one_are_those_of_all():
    torch.manual_seed(0)
    vectors, words = torch.randn(300, 4), torch.arange(50, 300)
    unit = torch.nn.functional.normalize(vectors[words], dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-1.0)
    best, which = cosines.topk(3, dim=1)
    expected = torch.arange(300)[:, None].repeat(1, 3)
    expected[words] = torch.where(best >= 0.5, words[which], words[:, None])
    near = NearWords(vectors, words, 3, 0.5)
    some = torch.tensor([[3, 60, 299], [60, 61, 60]])
    assert torch.equal(near[some], expected[some])
    assert torch.equal(near[torch.arange(300)], expected)


def test_near_words_of_the_real_encoder():
    encoder = TextEncoder()
    network, tokenizer = encoder.model, encoder.tokenizer
    vocabulary = Vocabulary.of(tokenizer, network.get_input_embeddings().weight)
    ids = torch.tensor(tokenizer.convert_tokens_to_ids(["movie", "murder", "##ing", "[SEP]"]))
    assert torch.equal(vocabulary.near[ids[1:]], vocabulary.near[ids][1:]), "in whichever order"
    near = [set(tokenizer.convert_ids_to_tokens(row)) for row in vocabulary.near[ids]]
    assert near[0] & {"film", "movies", "films"}
    assert near[1] & {"murders", "murdered", "murderer", "homicide"}
    assert near[2] == {"##ing"} and near[3] == {"[SEP]"}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"word_dropout": 1.0}, "word_dropout"),
        ({"adversarial": "fgsm"}, "one of none, fgm, pgd"),
        ({"average": "mean"}, "one of none, ema, swa"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"pgd_steps": 0}, "pgd_steps"),
    ],
)
def test_settings_out_of_range(settings, word):
    with pytest.raises(InputError, match=word):
        Regularisation(**settings)


def test_what_a_module_lacks_is_said(vocabulary):
    line = nn.Linear(2, 1)
    for settings, word in (
        (Regularisation(adversarial="fgm"), "encoder_network"),
        (Regularisation(r_drop=1.0), "logits"),
    ):
        with pytest.raises(InputError, match=word):
            Regularised(line, settings)
    with pytest.raises(InputError, match="vocabulary"):
        Regularised(Reader(), Regularisation(synonyms=0.1))
