"""Every rule that admission names in a verdict, with a sentence in plain words for people who ask why."""

#: Rule to sentence. A test reads admission's modules and finds none without one, and none that nothing names.
SENTENCES: dict[str, str] = {
    # Who sends.
    "origin-account": "The message comes from a signed-in account that may send mail.",
    "origin-account-state": "The account is suspended, locked or deleted, or its organisation is not active.",
    "origin-account-relayed": "The account's mail is kept at its organisation, so it sends through that mail system.",
    "origin-connection": "The message comes over a connection that is proved and approved.",
    "origin-connection-state": "The connection does not exist or is suspended.",
    "origin-connection-testing": "A connection in testing reaches itself and the service's own addresses only.",
    "origin-organisation-state": "The organisation that the connection belongs to is not active.",
    "origin-service-dsn": "The service itself sends a delivery report.",
    "origin-service-notice": "The service itself sends a notice.",
    "origin-service-echo": "The echo address answers a message.",
    "origin-service-list": "A list passes a message on to its members.",
    "origin-service-redirect": "The service passes a message on for a member.",
    # As whom.
    "sender-own": "The sender's address is one that the origin may use.",
    "sender-null": "The sender is empty, as it is in automatic mail; accounts may not send so, connections may.",
    "sender-not-own": "The sender's address is not one that the origin may use at the moment.",
    "address-syntax": "The text is not an address of the form that the community takes.",
    # To whom.
    "recipient-hosted": "The recipient's mailbox is kept here.",
    "recipient-shared-mailbox": "The recipient is a shared mailbox.",
    "recipient-list": "The recipient is a list.",
    "recipient-connected": "The recipient is in an approved domain, and mail goes over its connection.",
    "recipient-echo": "The recipient is the echo address, which answers members.",
    "recipient-helpdesk": "The recipient is the helpdesk, or an administrator of the community where there is none.",
    "recipient-deleted": "The recipient was deleted.",
    "recipient-outside": "The recipient is outside the community: nothing leaves it.",
    "suffix-missing": "The recipient was meant as a member, but the address lacks the community's suffix.",
    "hosted-address-unknown": "Nobody has this address in a domain that is kept here.",
    "service-address-unknown": "The service has no such address of its own.",
    "member-not-listed": "Only listed addresses of this domain are members, and this one is not listed.",
    "mailbox-not-made": "The recipient's mailbox is still being made; sending again later helps.",
    "echo-of-service": "The echo address answers people, never the service's own mail.",
    # What state it is in.
    "organisation-state": "The recipient's organisation is suspended or deleted.",
    "connection-state": "The recipient's connection is not live.",
    "domain-state": "The recipient's domain is suspended.",
    "domain-not-approved": "No approved connection has the recipient's domain.",
    # Lists.
    "may-post": "The sender may write to this list.",
    "may-not-post": "The sender may not write to this list.",
    "list-too-large": "The list reaches more addresses than a list may.",
}

#: What happens to mail that admission is never asked about.
OUTSIDE = "origin-outside"
OUTSIDE_SENTENCE = (
    "Nobody outside can send in: whoever sends signs in, or shows the certificate of an approved connection."
)


def sentence(rule: str) -> str:
    """Return what *rule* says in plain words."""
    return OUTSIDE_SENTENCE if rule == OUTSIDE else SENTENCES[rule]
