"""Accounts: one server holds many, each test has its own.

The key `ROOTKEY0` followed by an account's twelve digits is that account's root user, who may do
everything. Keys that STS gave out belong to the account of their role. There are no others.
"""

ROOT = "ROOTKEY0"
_NOBODY = "000000000000"


def key_of(environ: dict) -> str:
    """The access key that signed a request; empty where none did."""
    _, _, scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    return scope.partition("/")[0]


def region_of(environ: dict) -> str:
    """The region that a request was signed for."""
    _, _, scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    return scope.split("/")[2]


def account_of(key: str) -> str:
    """The account of a key."""
    if is_root(key):
        return key.removeprefix(ROOT)
    from moto.iam.models import iam_backends

    for account, backends in list(iam_backends.items()):
        if any(key in backend.access_keys for backend in list(backends.values())):
            return account
    return _NOBODY


def is_root(key: str) -> bool:
    """Whether a key is an account's root user."""
    return key.startswith(ROOT) and len(key) == len(ROOT) + 12


def install() -> None:
    """Has moto find accounts by these rules."""
    from moto.iam import models

    models.get_account_id_from = account_of
