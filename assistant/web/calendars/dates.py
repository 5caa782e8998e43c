"""How the pages write days and times of appointments, in the owner's zone.

They stand in English sentences and are written in English, with the clock of the owner's language: to 24
hours where that counts so. An hour that the clock shows twice is written with the zone's own name of that
hour ("2:30 AM CEST"): it is the only way to tell the two apart.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_interval, format_time, match_skeleton
from babel.numbers import format_decimal

from assistant.calendars.events import Span
from assistant.calendars.outlook import span_of
from assistant.store.appointments import Booking
from assistant.web.words import NO_BREAK, Words

LONGEST_NAME_SENT = 60
TWELVE_HOURS, TWENTY_FOUR = Locale("en"), Locale.parse("en_150")  # as America and as Europe write English


class Dates(Words):
    """What a template needs to write about appointments; `now` is when the page is made."""

    def __init__(self, timezone: str, language: str, now: datetime) -> None:
        super().__init__(timezone, language, now)
        if self.locale.language != "en":
            self.locale = TWENTY_FOUR if _counts_to_24(self.locale) else TWELVE_HOURS

    @property
    def today(self) -> date:
        """The owner's date."""
        return self.now.astimezone(self.zone).date()

    def day(self, day: date) -> str:
        """ "Tuesday, December 1"; with its year when it is not this one."""
        return self._date(day, "MMMMEEEEd" if day.year == self.today.year else "yMMMMEEEEd")

    def weekday(self, day: date) -> str:
        """ "Tue"."""
        return self._date(day, "E")

    def short_day(self, day: date) -> str:
        """ "Dec 1"."""
        return self._date(day, "MMMd")

    def week(self, first: date) -> str:
        """ "Nov 30 – Dec 6, 2026"."""
        return str(format_interval(first, first + timedelta(days=6), "yMMMMd", locale=self.locale))

    def _date(self, day: date, skeleton: str) -> str:
        return format_date(day, _pattern(skeleton, self.locale), locale=self.locale)

    def clock(self, at: datetime) -> str:
        """ "2:30 PM"."""
        local = at.astimezone(self.zone)
        written = format_time(local.replace(tzinfo=None), "short", locale=self.locale)
        return f"{written} {local.tzname()}" if self._shown_twice(local) else written

    def hours(self, span: Span) -> str:
        """ "2:00 – 2:30 PM"."""
        start, end = (at.astimezone(self.zone) for at in span)
        if start == end:
            return self.clock(start)
        plain = start.date() == end.date() and start.utcoffset() == end.utcoffset()
        if plain and not self._shown_twice(start) and not self._shown_twice(end):
            return self._within_a_day(start.replace(tzinfo=None), end.replace(tzinfo=None))
        return f"{self.clock(start)} – {self.clock(end)}"

    def _within_a_day(self, start: datetime, end: datetime) -> str:
        skeleton = "Hm" if _counts_to_24(self.locale) else "hm"
        return str(format_interval(start, end, skeleton, locale=self.locale))

    def hours_of_day(self, span: Span, day: Span) -> str:
        """When something is on within one day: "until 9:00 AM" what began on the day before."""
        if span.start <= day.start and span.end >= day.end:
            return "all day"
        if span.start < day.start:
            return f"until {self.clock(span.end)}"
        return f"from {self.clock(span.start)}" if span.end > day.end else self.hours(span)

    def appointment(self, span: Span, *, all_day: bool = False) -> str:
        """Day and hours: "Tuesday, December 1, 2:00 – 2:30 PM"."""
        first, last = (at.astimezone(self.zone).date() for at in (span.start, _just_before(span.end)))
        if all_day:
            return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"
        if first != last:
            return f"{self.day(first)}, {self.clock(span.start)} – {self.day(last)}, {self.clock(span.end)}"
        return f"{self.day(first)}, {self.hours(span)}"

    def booked(self, booking: Booking) -> str:
        """When a booking is."""
        return self.appointment(span_of(booking))

    def day_length(self, day: Span) -> str:
        """How long a day is on which the clock is changed: "25 hours"."""
        hours = (day.end - day.start).total_seconds() / 3600
        return f"{format_decimal(hours, locale=self.locale)}{NO_BREAK}hours"

    def moment(self, at: datetime) -> str:
        """ "Tuesday, December 1, 2:00 PM"."""
        return f"{self.day(at.astimezone(self.zone).date())}, {self.clock(at)}"

    def local_date(self, at: datetime) -> str:
        """As a date field of a form wants it."""
        return at.astimezone(self.zone).date().isoformat()

    def local_time(self, at: datetime) -> str:
        """As a time field of a form wants it."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def words_for(self, booking: Booking, owner_name: str) -> str:
        """What the owner may send to the caller about a booking as it stands now."""
        name = booking.caller_name.strip()[:LONGEST_NAME_SENT]
        signed = f" – {owner_name}" if owner_name else ""
        return f"Hello{' ' + name if name else ''}, {self._news(booking)}{signed}"

    def _news(self, booking: Booking) -> str:
        when = self.booked(booking)
        match booking.status:
            case "booked":
                return f"your appointment is booked: {when}."
            case "declined":
                return f"you asked for an appointment: {when}. I am sorry, that does not work."
            case "cancelled":
                return f"I am sorry, your appointment has to be cancelled: {when}."
            case _:
                return f"you asked for an appointment. Would {when} suit you?"

    def sms(self, booking: Booking, owner_name: str) -> str:
        """The address that opens a text message with those words; "" where none can be sent."""
        number = self.tel(booking.number)
        # The empty field before `body` is for iPhones, which used to want `&body`.
        return f"sms:{number}?&body={quote(self.words_for(booking, owner_name))}" if number else ""

    @staticmethod
    def web_address(link: str) -> bool:
        """Whether a provider's link is one to follow."""
        return link.startswith("https://")

    def _shown_twice(self, local: datetime) -> bool:
        return local.replace(fold=0).utcoffset() > local.replace(fold=1).utcoffset()  # type: ignore[operator]


def _counts_to_24(locale: Locale) -> bool:
    return "H" in str(locale.time_formats["short"].pattern)


@lru_cache(maxsize=16)
def _pattern(skeleton: str, locale: Locale) -> str:
    """What a locale makes of a skeleton. Searching its list takes as long as writing ten dates."""
    return str(locale.datetime_skeletons[match_skeleton(skeleton, locale.datetime_skeletons)])


def _just_before(end: datetime) -> datetime:
    return end - timedelta.resolution
