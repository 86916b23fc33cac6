"""What a person can mend."""


class Trouble(Exception):
    """Its text is one sentence for a person: what is wrong, and what to do. It is shown without a stack trace."""
