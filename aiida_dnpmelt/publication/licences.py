"""Names of licences."""

from __future__ import annotations

import re


def spdx_name(text: str) -> str:
    """Return the name of a licence as SPDX writes it.

    :raises ValueError: if SPDX knows no licence of this name.
    :raises ImportError: without the extra ``[publish]``.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        if not re.fullmatch(r"[A-Za-z0-9.+-]+", text):
            raise InvalidLicenseExpression(text)
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(
            f"'{text}' is no licence of https://spdx.org/licenses: CC-BY-4.0, CC-BY-SA-4.0, CC0-1.0 and ODbL-1.0 are "
            "usual for data"
        ) from error
