"""Published data sets onto this machine: resumable, checked, unpacked with care, never half there."""

from recnb.data.fetch.remotes import REMOTES, Remote
from recnb.data.fetch.sets import Fetched, fetch, fetchable, present
from recnb.errors import FetchError

__all__ = ["REMOTES", "FetchError", "Fetched", "Remote", "fetch", "fetchable", "present"]
