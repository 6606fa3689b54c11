"""Opening a source: what it is, where nobody says."""

import os
import stat
from pathlib import Path

from cjsm.configuration import ImportSettings
from cjsm.mail.folders import files, maildir
from cjsm.mail.folders.emlfiles import EmlFile, EmlFiles
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.files import Caller
from cjsm.mail.folders.maildir import Maildir
from cjsm.mail.folders.mbox import VARIANTS, Mbox
from cjsm.mail.folders.source import Source

#: What a source may be said to be; "auto" finds out, "mbox" finds out the variant.
FORMS = ("auto", "maildir", "eml", "mbox", *VARIANTS)


def open_source(path: Path, form: str, limits: ImportSettings, within: Caller, uidl_format: str = "") -> Source:
    """Open what lies at *path*.

    :param form: one of :data:`FORMS`.
    :param within: files are opened in it.
    :param uidl_format: the server's own ``pop3_uidl_format``; empty for the usual one.
    :raises FolderError: when it is not of that form, or over a limit.
    """
    with within():
        descriptor = files.open_source(path)
    try:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        with within():
            found = form if form != "auto" else _form(descriptor, is_directory)
        if is_directory != (found == "maildir") and found != "eml":
            what = "a directory" if is_directory else "a file"
            raise FolderError(f"{path} is {what}: that is no {found}", "leave --format away, or name another source")
        if found == "maildir":
            return Maildir(descriptor, limits, within, uidl_format)
        if found == "eml":
            is_file = not is_directory
            return EmlFile(descriptor, path.name) if is_file else EmlFiles(descriptor, limits, within, uidl_format)
        return Mbox(descriptor, limits, "" if found == "mbox" else found, uidl_format)
    except BaseException:
        os.close(descriptor)
        raise


def _form(descriptor: int, is_directory: bool) -> str:
    if is_directory:
        return "maildir" if maildir.is_maildir(descriptor) else "eml"
    return "mbox" if os.pread(descriptor, 5, 0) == b"From " or not os.fstat(descriptor).st_size else "eml"
