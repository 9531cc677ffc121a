"""Language models, images and sound as vectors."""

from recnb.encoders.loading import DEFAULT_ENCODER, cited
from recnb.encoders.media.audio import AudioEncoder
from recnb.encoders.media.image import ImageEncoder
from recnb.encoders.text.encoder import TextEncoder
from recnb.encoders.text.whitening import whiten

__all__ = ["DEFAULT_ENCODER", "AudioEncoder", "ImageEncoder", "TextEncoder", "cited", "whiten"]
