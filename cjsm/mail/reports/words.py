"""The part of a report for people: what happened, to whom, why, and what to do."""

from collections.abc import Iterator, Sequence

from cjsm.mail.envelope import Returned
from cjsm.mail.notifications import BadParameter, split_original
from cjsm.mail.reports.facts import Action, Enclosure, RecipientReport, Reporter, Subject
from cjsm.mail.reports.status import envelope_id, is_reply, known_status
from cjsm.mail.reports.text import moment, one_line, wrapped

#: The subject of a report, by the worst it tells; in this order.
SUBJECTS = {
    Action.FAILED: "Your message could not be delivered",
    Action.DELAYED: "Your message is delayed",
    Action.RELAYED: "Your message was passed on",
    Action.EXPANDED: "Your message was sent to the members of a list",
    Action.DELIVERED: "Your message was delivered",
}
_HEADINGS = {
    Action.FAILED: "Your message could not be delivered to:",
    Action.DELAYED: "Your message has not been delivered yet to:",
    Action.RELAYED: "Your message was passed on to a mail server that does not report delivery. You will hear of it "
    "again only if something goes wrong. It is for:",
    Action.EXPANDED: "Your message reached this list and was sent to its members:",
    Action.DELIVERED: "Your message was delivered to:",
}
_WAIT = "You need not send it again. If it is urgent, reach the person another way."
#: How an enhanced status code goes on after its class (RFC 3463 §3), what it stands for, and what the sender can do.
_MEANINGS = (
    (
        ".1.",
        "there is no such address.",
        "Check the address, for example in the directory, and send the message again.",
    ),
    (".2.1", "the mailbox is not in use.", "Ask the person's organisation who can help, or use another address."),
    (".2.2", "the mailbox is full.", "Try again later, or reach the person another way."),
    (".2.3", "the message is too large for the mailbox.", "Send a smaller message, or several."),
    (".3.4", "the message is too large.", "Send a smaller message, or several."),
    (
        ".4.",
        "the other mail server could not be reached.",
        "Try again later. If it is urgent, reach the person another way.",
    ),
    (".6.", "the message is in a form that the other mail server does not take.", "Send it in a plainer form."),
    (
        ".7.5",
        "the other mail server could not be reached safely: its encryption or its certificate is not as it must be.",
        "Try again later. If it is urgent, reach the person another way.",
    ),
    (".7.", "the other side does not allow it.", "Ask the person's organisation or the helpdesk what is allowed."),
    ("", "the other mail server did not take it.", "Try again. If it happens once more, ask the helpdesk."),
)


def subject_line(recipients: Sequence[RecipientReport]) -> str:
    """Return the subject: the worst that happened."""
    happened = {each.action for each in recipients}
    return next(words for action, words in SUBJECTS.items() if action in happened)


def human_part(
    subject: Subject, recipients: Sequence[RecipientReport], reporter: Reporter, enclosure: Enclosure | None
) -> str:
    """Return the text. Its lines are indented where they begin with words of others."""
    lines = wrapped(
        f"This is a report on a message that you sent, from {one_line(reporter.host)}.", first="", further="  "
    )
    for action, heading in _HEADINGS.items():
        about = [each for each in recipients if each.action is action]
        if about:
            lines += ["", *wrapped(heading, first="", further="")]
        for each in about:
            lines += ["", *_recipient(each)]
    lines += ["", "The message:", "", *_message(subject), ""]
    lines += wrapped(
        f"{_enclosed(enclosure)} If you need help, answer this report: it reaches the helpdesk.", first="", further=""
    )
    return "\r\n".join(lines) + "\r\n"


def _recipient(recipient: RecipientReport) -> Iterator[str]:
    yield f"  {one_line(recipient.final_recipient)}"
    for sentence in _sentences(recipient):
        yield from wrapped(sentence, first="    ", further="      ")


def _sentences(recipient: RecipientReport) -> Iterator[str]:
    written = _written(recipient)
    if written and written.lower() != one_line(recipient.final_recipient).lower():
        yield f"You wrote to: {written}"
    status = known_status(recipient)
    why, what = next((why, what) for start, why, what in _MEANINGS if status[1:].startswith(start))
    reason = one_line(recipient.reason)
    if reason or recipient.action in (Action.FAILED, Action.DELAYED):
        yield f"Why: {reason or why}"
    if recipient.action is Action.FAILED:
        yield f"What to do: {what}"
    elif recipient.action is Action.DELAYED:
        until = f" until {moment(recipient.retry_until)}" if recipient.retry_until is not None else ""
        yield f"We keep trying{until}. {_WAIT}"
    if words := one_line(recipient.diagnostic):
        host = one_line(recipient.remote) or "there"
        yield f'The mail server {host} {"said" if is_reply(words) else "could not be used"}: "{words}"'


def _written(recipient: RecipientReport) -> str:
    try:
        kind, address = split_original(recipient.original)
    except BadParameter:
        return ""
    return one_line(address) if kind.lower() == "rfc822" else ""


def _message(subject: Subject) -> Iterator[str]:
    yield f"  Taken: {moment(subject.arrival)}"
    if message_id := one_line(subject.message_id):
        yield from wrapped(f"Message-ID: {message_id}", first="  ", further="    ")
    if reference := envelope_id(subject):
        yield from wrapped(f"Your reference: {reference}", first="  ", further="    ")


def _enclosed(enclosure: Enclosure | None) -> str:
    if enclosure is None:
        return "Nothing of the message itself is in this report."
    return "The message is attached." if enclosure.what is Returned.FULL else "The header of the message is attached."
