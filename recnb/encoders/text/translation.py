"""Texts as they come back from another language."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from recnb.encoders.cache import cache_folder
from recnb.encoders.device import choose_device
from recnb.encoders.loading import Source, locate, need_text_extra
from recnb.encoders.text.network import open_tokenizer, quiet
from recnb.errors import InputError
from recnb.files import write_json
from recnb.progress import tell

_BATCH = 16  # texts translated at once


class BackTranslation:
    """Paraphrases by two translation models.

    Parameters
    ----------
    there, back : str
        Folders or hub names of seq2seq models (``Helsinki-NLP/opus-mt-en-de`` and ``Helsinki-NLP/opus-mt-de-en``,
        say).
    temperature : float
        Of the sampled words: at 1 those of the model, nearer to 0 the likeliest.
    max_tokens : int
        Tokens read of a text, and written of its translation.
    device : str
        As in :func:`recnb.encoders.device.choose_device`.
    cache : bool or path
        True keeps finished paraphrases under :func:`recnb.encoders.cache.cache_folder`, a path keeps them there.

    Raises
    ------
    InputError
        A model is missing, or writes no text.

    References
    ----------
    R. Sennrich, B. Haddow, A. Birch, Improving neural machine translation models with monolingual data, ACL 2016,
    section 3; S. Edunov et al., Understanding back-translation at scale, EMNLP 2018, section 3 (sampling).
    """

    def __init__(
        self,
        there: str,
        back: str,
        temperature: float = 0.7,
        max_tokens: int = 128,
        device: str = "auto",
        cache: bool | str | os.PathLike[str] = True,
    ) -> None:
        need_text_extra()
        if not temperature > 0:
            raise InputError(f"temperature={temperature!r}", mend="above 0")
        self.sources = (locate(there.strip()), locate(back.strip()))
        self.temperature, self.max_tokens = temperature, max_tokens
        self.device = choose_device(device)
        self._folder = None
        if cache:
            self._folder = cache_folder() / "paraphrases" if cache is True else Path(cache)

    def paraphrases(self, texts: Sequence[str], n: int, seed: int = 0) -> list[list[str]]:
        """`n` lists of the texts in other words, as long as `texts` each; an empty text stays one.

        Parameters
        ----------
        texts : sequence of str
        n : int
        seed : int
        """
        distinct = list(dict.fromkeys(text for text in texts if text.strip()))
        file = self._file(distinct, n, seed)
        if file is not None and file.is_file():
            held = json.loads(file.read_text(encoding="utf-8"))
        else:
            held = self._all(distinct, n, seed)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_json(file, held)
        return [[held[text][k] if text in held else text for text in texts] for k in range(n)]

    def _file(self, texts: list[str], n: int, seed: int) -> Path | None:
        if self._folder is None:
            return None
        known = [*(s.checksum for s in self.sources), self.temperature, self.max_tokens, n, seed]
        told = json.dumps([known, texts]).encode()
        return self._folder / f"{sha256(told).hexdigest()[:32]}.json"

    def _all(self, texts: list[str], n: int, seed: int) -> dict[str, list[str]]:
        import torch

        models = [self._open(source) for source in self.sources]
        out: dict[str, list[str]] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for start in range(0, len(texts), _BATCH):
                some = texts[start : start + _BATCH]
                abroad = self._translate(*models[0], some * n)
                home = self._translate(*models[1], abroad)
                for row, text in enumerate(some):
                    # what comes back empty says nothing
                    out[text] = [home[k * len(some) + row].strip() or text for k in range(n)]
                tell("paraphrases", min(start + _BATCH, len(texts)), len(texts))
        return out

    def _open(self, source: Source) -> tuple[Any, Any]:
        from transformers import AutoModelForSeq2SeqLM

        try:
            with quiet():
                model = AutoModelForSeq2SeqLM.from_pretrained(source.folder)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{source.name} does not translate ({str(error).splitlines()[0]})",
                file=str(source.folder),
                mend="name a seq2seq model, such as Helsinki-NLP/opus-mt-en-de",
            ) from error
        return open_tokenizer(source), model.to(self.device).eval()

    def _translate(self, tokenizer: Any, model: Any, texts: list[str]) -> list[str]:
        import torch

        inputs = tokenizer(
            texts, truncation=True, max_length=self.max_tokens, padding=True, return_tensors="pt"
        )
        inputs.pop("token_type_ids", None)
        with torch.inference_mode(), quiet():
            written = model.generate(
                **inputs.to(self.device),
                do_sample=True,
                temperature=self.temperature,
                num_beams=1,
                max_new_tokens=self.max_tokens,
            )
        return tokenizer.batch_decode(written, skip_special_tokens=True)
