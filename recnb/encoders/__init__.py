"""Language models, images and sound as vectors."""

from recnb.encoders.audio import AudioEncoder
from recnb.encoders.image import ImageEncoder
from recnb.encoders.loading import DEFAULT_ENCODER
from recnb.encoders.text import TextEncoder
from recnb.encoders.whitening import whiten

__all__ = ["DEFAULT_ENCODER", "AudioEncoder", "ImageEncoder", "TextEncoder", "whiten"]
