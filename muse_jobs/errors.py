"""The one error that a user can mend."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what to do.

    Commands print the message on one line and exit with status 2.
    """
