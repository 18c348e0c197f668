"""The file in which AiiDA keeps its profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida.common.exceptions import ConfigurationError, ConfigurationVersionError, MissingConfigurationError
from aiida.manage.configuration import get_config, get_config_path

if TYPE_CHECKING:
    from aiida.manage.configuration.config import Config


def configuration(create: bool = False) -> Config:
    """Return the configuration of AiiDA.

    :raises MissingConfigurationError: if there is none.
    :raises ConfigurationError: if the file is damaged, or of another version; it names the file.
    :raises OSError: if the file cannot be read.
    """
    try:
        return get_config(create=create)
    except (MissingConfigurationError, ConfigurationVersionError, OSError):
        raise
    except Exception as error:  # a file of another shape fails wherever AiiDA uses it first
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        message = f"'{get_config_path()}', the list of profiles, is damaged ({said}), a backup may lie beside it"
        raise ConfigurationError(message) from error
