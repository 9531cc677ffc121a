"""Pictures, sounds and vectors of items: read from a data folder, checked at the door, found by item id."""

from recnb.data.media.controls import noise, shuffled, thinned
from recnb.data.media.folder import FOLDERS, check_name, file_name
from recnb.data.media.images import open_image, read_images
from recnb.data.media.media import Media, known
from recnb.data.media.sounds import open_audio, read_audio
from recnb.data.media.vectors import from_vectors, read_vectors

__all__ = [
    "FOLDERS",
    "Media",
    "check_name",
    "file_name",
    "from_vectors",
    "known",
    "noise",
    "open_audio",
    "open_image",
    "read_audio",
    "read_images",
    "read_vectors",
    "shuffled",
    "thinned",
]
